// How a chat of 100,000 messages scrolls, beside the same stretch of text that nobody has to load or build: what of it is
// the app, and what the machine. Nothing here fails because a machine is slow.
import type { CDPSession, Locator } from 'playwright-core';
import { expect, inject, test } from 'vitest';
import { Person } from '../support/people';
import { sql } from '../support/sql';
import { device, eventually, url } from '../support/stage';
import { at, ms, table } from './figures';
import { traced, type Scrolled } from './trace';

const keep = table();
const MANY = 100_000;
/** Gestures, and how far each goes, in CSS pixels. */
const STRETCHES = 8;
const DISTANCE = 6_000;

/** A chat of so many messages, put straight into the server's Postgres before anybody looks at it. */
async function longChat(mina: Person, john: Person): Promise<number> {
  const chat = await mina.direct(john);
  sql(
    inject('folder'),
    `insert into messages (chat_id, seq, version, sender_id, client_id, client_hash, sent_at, body)
     select ${chat}, n, n, case when n % 3 = 0 then ${mina.id} else ${john.id} end, gen_random_uuid(), 0, now() - (${MANY} - n) * interval '97 seconds',
       json_build_object('kind', 'text', 'text', 'پیام ' || n || repeat(' و سخنی که دراز می‌شود', n % 7) || case when n % 11 = 0 then E'\\nSecond line in English, number ' || n else '' end)
     from generate_series(1, ${MANY}) n;
     update chats set seq = ${MANY}, version = ${MANY} where id = ${chat};
     update members set read_seq = ${MANY} where chat_id = ${chat};
     update user_chats set read_seq = ${MANY} where chat_id = ${chat};`,
  );
  return chat;
}

/** Scrolls by the compositor's own gesture, towards the top. */
async function scroll(cdp: CDPSession, box: { x: number; y: number; width: number; height: number }, between: () => Promise<void>): Promise<void> {
  for (let stretch = 0; stretch < STRETCHES; stretch++) {
    await cdp.send('Input.synthesizeScrollGesture', { x: box.x + box.width / 2, y: box.y + box.height / 2, yDistance: DISTANCE, speed: 3_000, gestureSourceType: 'mouse' });
    await between();
  }
}

/** Plain paragraphs as high as all gestures go, over the history and as large as it: the least that scrolling can cost here. */
async function still(history: Locator): Promise<void> {
  await history.evaluate((element, height) => {
    const { top, left, width, height: tall } = element.getBoundingClientRect();
    const box = document.createElement('div');
    box.id = 'still';
    Object.assign(box.style, { position: 'fixed', top: `${top}px`, left: `${left}px`, width: `${width}px`, height: `${tall}px`, overflowY: 'scroll', background: getComputedStyle(document.documentElement).getPropertyValue('--paper'), zIndex: '10' });
    for (let number = 1; box.childElementCount < height / 40; number++) {
      const line = document.createElement('p');
      line.textContent = `پیام ${number}${' و سخنی که دراز می‌شود'.repeat(number % 7)}`;
      line.style.margin = '0 auto 16px';
      line.style.width = '34rem';
      box.append(line);
    }
    document.body.append(box);
    box.scrollTop = box.scrollHeight;
  }, STRETCHES * DISTANCE + 2_000);
}

function say(name: string, { gaps, presented, dropped, onMain, work, raster, display, tasks, lasted }: Scrolled): void {
  keep(`${name}: time from frame to frame`, ms(gaps));
  keep(`${name}: frames dropped`, `${dropped} of ${presented + dropped}, scrolled by the ${onMain ? "page's thread" : 'compositor'}`);
  const share = (time: number): string => `${((100 * time) / lasted).toFixed(0)} %`;
  keep(`${name}: the page's thread`, Object.entries(work).map(([kind, time]) => `${kind} ${share(time)}`).join(', '));
  keep(`${name}: raster, display`, `${share(raster)}, ${share(display)}`);
  keep(`${name}: tasks over 16 ms, over 50 ms, longest`, `${tasks.filter((each) => each > 16).length}, ${tasks.filter((each) => each > 50).length}, ${Math.max(0, ...tasks).toFixed(0)} ms`);
}

test('a chat of 100,000 messages scrolls, and what stands in the page stays bounded', async () => {
  const [mina, john] = [await Person.register(url(), 'مینا'), await Person.register(url(), 'John')];
  const chat = await longChat(mina, john);
  const one = await device();
  await one.signIn(mina.handle);
  const tab = one.main;
  await tab.open('John');
  await tab.message(`پیام ${MANY}`).first().waitFor();

  const cdp = await one.context.newCDPSession(one.page);
  await cdp.send('Performance.enable');
  const heap = async (): Promise<number> => {
    await cdp.send('HeapProfiler.collectGarbage');
    const { metrics } = await cdp.send('Performance.getMetrics');
    return (metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? NaN) / 2 ** 20;
  };
  const count = (): Promise<{ elements: number; rows: number }> =>
    one.page.evaluate(() => ({ elements: document.querySelectorAll('*').length, rows: document.querySelectorAll('li.message').length }));
  const first = (): Promise<number> => tab.history.locator('li.message').first().getAttribute('data-seq').then(Number);
  const box = (await tab.history.boundingBox())!;

  await still(tab.history);
  const bare = await traced(cdp, () => scroll(cdp, box, async () => {}));
  const way = await one.page.locator('#still').evaluate((element) => {
    const { scrollHeight, clientHeight, scrollTop } = element;
    element.remove();
    return scrollHeight - clientHeight - scrollTop;
  });
  expect(Math.abs(way - STRETCHES * DISTANCE)).toBeLessThan(500);

  const [heapBefore, firstBefore] = [await heap(), await first()];
  let most = await count();
  const app = await traced(cdp, () =>
    scroll(cdp, box, async () => {
      const now = await count();
      most = { elements: Math.max(most.elements, now.elements), rows: Math.max(most.rows, now.rows) };
    }),
  );
  const firstAfter = await first();

  say('still text', bare);
  say('100,000 messages', app);
  keep('100,000 messages against still text, frame to frame', `median ${(at(app.gaps, 0.5) / at(bare.gaps, 0.5)).toFixed(2)} ×, p95 ${(at(app.gaps, 0.95) / at(bare.gaps, 0.95)).toFixed(2)} ×`);
  keep('100,000 messages: scrolled over', `${firstBefore - firstAfter} messages`);
  keep('100,000 messages: most elements, most rows in the page', `${most.elements}, ${most.rows}`);
  keep('100,000 messages: JavaScript heap', `${heapBefore.toFixed(1)} MB before, ${(await heap()).toFixed(1)} MB after`);
  expect(app.onMain, 'the page itself has to paint each step').toBe(false);
  expect(firstBefore - firstAfter).toBeGreaterThan(200);
  expect(most.rows).toBeLessThan(400);
  expect(most.elements).toBeLessThan(8_000);

  // From one end to the other at once.
  const began = Date.now();
  await one.page.evaluate((to) => void (location.hash = `#/chat/${to}/1`), chat);
  await tab.history.locator('li.message[data-seq="1"]').waitFor();
  keep('100,000 messages: jump from the last to the first', `${Date.now() - began} ms`);
  await eventually(async () => expect((await count()).rows).toBeLessThan(400));
});
