import type { Page } from 'playwright-core';
import { expect, inject, test } from 'vitest';
import { Person, handle } from './support/people';
import { device, url } from './support/stage';
import { sql } from './support/sql';

/** Short and long, of both directions, and those whose last line ends where the time begins. */
const TEXTS = [
  'ب',
  'OK',
  'خبر دوم',
  'A short one',
  '👍 خوب',
  '6037 9971',
  '@sara_rezaei',
  'https://example.org/a',
  ...[24, 30, 36, 42, 48, 54, 60, 66, 72].flatMap((length) => [
    'خبرهای امروز از همه‌جا رسید و همه خواندند که چه شد و چرا چنین شد'.slice(0, length),
    'All the news of today has come in and everybody has read what it was about'.slice(0, length),
  ]),
  'خط نخست\nand the last one is English',
  'The first line\nو آخری فارسی است',
];

interface Overlap {
  text: string;
  across: number;
  down: number;
}

/** Where what stands at the foot of a message (how often it was seen, "edited", the time, a mark) lies over its words. */
async function overlaps(page: Page): Promise<{ messages: number; found: Overlap[] }> {
  return page.evaluate(() => {
    const found: { text: string; across: number; down: number }[] = [];
    const bubbles = [...document.querySelectorAll<HTMLElement>('section.box .bubble')];
    for (const bubble of bubbles) {
      const foot = bubble.querySelector('.meta')!.getBoundingClientRect();
      const frame = bubble.getBoundingClientRect();
      if (foot.left < frame.left || foot.right > frame.right || foot.bottom > frame.bottom) found.push({ text: `outside: ${bubble.innerText}`, across: foot.width, down: frame.bottom - foot.bottom });
      const walk = document.createTreeWalker(bubble.querySelector('.content')!, NodeFilter.SHOW_TEXT);
      for (let node = walk.nextNode(); node; node = walk.nextNode()) {
        const range = document.createRange();
        range.selectNodeContents(node);
        for (const word of range.getClientRects()) {
          const across = Math.min(word.right, foot.right) - Math.max(word.left, foot.left);
          const down = Math.min(word.bottom, foot.bottom) - Math.max(word.top, foot.top);
          // The box of a line is higher than its letters.
          if (across > 0.5 && down > 4) found.push({ text: bubble.innerText, across, down });
        }
      }
    }
    return { messages: bubbles.length, found };
  });
}

test('how often it was seen, "edited", the time and the mark stand beside the words and not over them', async () => {
  const owner = await Person.register(url(), 'سردبیر', handle('editor'));
  const reader = await Person.register(url(), 'سارا');
  const news = await owner.create('channel', 'خبرها', [reader], handle('news'));
  const friends = await owner.direct(reader);
  for (const chat of [news, friends]) {
    for (const text of TEXTS) {
      await owner.say(chat, text);
      const seq = await owner.say(chat, text.slice(0, -1) + '.');
      await owner.call('edit', { chat_id: chat, seq, body: { kind: 'text', text } });
      await reader.read(chat, seq);
    }
  }
  // As many have seen some of them as see those of a large channel.
  const seen = [1, 7, 42, 870, 1_234, 98_765, 12_345_678];
  sql(inject('folder'), `update messages set views = (array[${seen.join()}])[1 + seq % ${seen.length}] where chat_id = ${news}`);
  for (const [language, size] of [['fa', 'phone'], ['en', 'desktop'], ['ar', 'tablet']] as const) {
    for (const person of [owner, reader]) {
      const looking = await device({ language, size });
      await looking.signIn(person.handle);
      for (const chat of [news, friends]) {
        await looking.visit(`#/chat/${chat}`);
        await looking.main.history.locator('ol.opened').waitFor();
        for (const large of ['', '200%']) {
          await looking.page.evaluate(async (wanted) => {
            document.documentElement.style.fontSize = wanted;
            await document.fonts.ready;
          }, large);
          const { messages, found } = await overlaps(looking.page);
          expect(messages).toBeGreaterThan(20);
          // Beside a list of large letters there is still a chat to read.
          expect((await looking.main.history.boundingBox())!.width, `${language}, ${size}, ${large}`).toBeGreaterThan(320);
          expect(found, `${language}, ${size}, ${large}`).toEqual([]);
        }
        await looking.page.evaluate(() => (document.documentElement.style.fontSize = ''));
      }
      await looking.close();
    }
  }
});
