import { describe, expect, it } from 'vitest';
import { parseMarkup } from '@chapar/client/text';
import { LIMITS, tooLarge } from './limits';
import { split } from './split';

const plain = (text: string) => ({ text, entities: [] });
const texts = (text: string, most: number) => split(plain(text), most).map((part) => part.text);

describe('a text that is too long, as several messages', () => {
  it('is cut between paragraphs, else lines, else sentences, else words', () => {
    expect(texts('aaaa bbbb\n\ncccc dddd', 14)).toEqual(['aaaa bbbb', 'cccc dddd']);
    expect(texts('aaaa bbbb\ncccc dddd', 14)).toEqual(['aaaa bbbb', 'cccc dddd']);
    expect(texts('One thing. Another thing', 18)).toEqual(['One thing.', 'Another thing']);
    expect(texts('آیا می‌آیی؟ من آمدم', 14)).toEqual(['آیا می‌آیی؟', 'من آمدم']);
    expect(texts('aaaa bbbb cccc', 10)).toEqual(['aaaa bbbb', 'cccc']);
  });

  it('leaves what fits in one piece, blanks and all', () => {
    expect(texts('  one\n\n two', 100)).toEqual(['  one\n\n two']);
    expect(texts('x'.repeat(LIMITS.textUnits), LIMITS.textUnits)).toHaveLength(1);
  });

  it('cuts a word without end, but no letter', () => {
    expect(texts('x'.repeat(25), 10)).toEqual(['x'.repeat(10), 'x'.repeat(10), 'x'.repeat(5)]);
    for (const part of texts('👨‍👩‍👧‍👦'.repeat(20), 50)) expect(part.replaceAll('👨‍👩‍👧‍👦', '')).toBe('');
  });

  it('goes on with a mark behind the cut', () => {
    const { text, entities } = parseMarkup('**aaaa bbbb cccc** dddd');
    expect(split({ text, entities }, 10)).toEqual([
      { text: 'aaaa bbbb', entities: [{ type: 'bold', offset: 0, length: 9 }] },
      { text: 'cccc dddd', entities: [{ type: 'bold', offset: 0, length: 4 }] },
    ]);
  });

  it('loses no word, whatever the text: every part can be sent', () => {
    let seed = 7;
    const dice = (sides: number): number => (seed = (seed * 48_271) % 2_147_483_647) % sides;
    const words = ['سلام', 'a', 'word', '😀', 'می‌روم', '\n', '\n\n', 'x'.repeat(300), 'پایان.', 'end!', '[here](https://example.org/a)'];
    for (let round = 0; round < 200; round++) {
      const typed = Array.from({ length: 1 + dice(120) }, () => words[dice(words.length)]).join(' ');
      const { text, entities } = parseMarkup(typed);
      const parts = split({ text, entities }, 200 + dice(400));
      expect(parts.map((part) => part.text).join('').replace(/\s+/g, ''), `round ${round}`).toBe(text.replace(/\s+/g, ''));
      for (const part of parts) {
        expect(part.text.length).toBeLessThanOrEqual(600);
        expect(tooLarge(part)).toBe(false);
        for (const { offset, length } of part.entities) expect(offset >= 0 && length > 0 && offset + length <= part.text.length).toBe(true);
      }
    }
  });

  it('cuts again where the links are too many', () => {
    const many = Array.from({ length: 70 }, (_, at) => `[${at}](https://example.org/${'x'.repeat(2_000)})`).join(' ');
    const parts = split(parseMarkup(many));
    expect(parts.length).toBeGreaterThan(1);
    for (const part of parts) expect(tooLarge(part)).toBe(false);
  });
});
