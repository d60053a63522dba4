import { describe, expect, it } from 'vitest';
import { parseMarkup } from '@chapar/client/text';
import { LIMITS, tooLarge } from './limits';

describe('what a message may hold', () => {
  it('takes every plain text of legal length, whatever JSON makes of it', () => {
    for (const sign of ['a', 'ی', '"', '\\', '\n', '😀']) {
      const text = sign.repeat(Math.floor(LIMITS.textUnits / sign.length));
      expect(tooLarge({ text }), sign).toBe(false);
      expect(new TextEncoder().encode(JSON.stringify({ kind: 'text', text })).length, sign).toBeLessThanOrEqual(LIMITS.bodyBytes);
    }
  });

  it('takes a hundred short links, and not seventy of two thousand characters', () => {
    const links = (count: number, length: number): string =>
      Array.from({ length: count }, (_, at) => `[${at}](https://example.org/${'x'.repeat(length)})`).join(' ');
    const [few, many] = [parseMarkup(links(100, 20)), parseMarkup(links(70, 2_000))];
    expect([few.entities.length, many.entities.length]).toEqual([100, 70]);
    expect([tooLarge(few), tooLarge(many)]).toEqual([false, true]);
    // Though its text is short.
    expect(many.text.length).toBeLessThan(LIMITS.textUnits);
  });
});
