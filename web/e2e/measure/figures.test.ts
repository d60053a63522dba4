// How fast the app is, as figures: nothing here fails because a machine is slow. Sizes and the number of elements are no
// timings, and may fail. Printed as a table, and kept in e2e/artifacts/figures.json.
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { afterAll, expect, inject, test } from 'vitest';
import type { Device, Tab } from '../support/browser';
import { ARTIFACTS } from '../support/ledger';
import { Person } from '../support/people';
import { seed } from '../support/seed';
import { sql } from '../support/sql';
import { device, eventually, somebody, url } from '../support/stage';

const figures: Record<string, string> = {};
const keep = (name: string, value: string): void => void (figures[name] = value);
const sorted = (all: number[]): number[] => [...all].sort((a, b) => a - b);
const at = (all: number[], share: number): number => sorted(all)[Math.min(all.length - 1, Math.floor(all.length * share))] ?? NaN;
const ms = (all: number[]): string => `median ${at(all, 0.5).toFixed(1)} ms, p95 ${at(all, 0.95).toFixed(1)} ms, worst ${at(all, 1).toFixed(1)} ms (n=${all.length})`;

afterAll(() => {
  keep('machine', `${cpus().length} × ${cpus()[0]?.model}`);
  console.table(figures);
  writeFileSync(`${ARTIFACTS}figures.json`, JSON.stringify(figures, null, 2));
});

/** Notes when something first stands on the screen: after the frame in which it was put there. */
const usable = (selector: string): string => `
  new MutationObserver((_, observer) => {
    if (!document.querySelector(${JSON.stringify(selector)})) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => { window.usableAt ??= performance.now(); }));
  }).observe(document, { childList: true, subtree: true });`;

type Noted = { usableAt: number };
async function usableAfter(one: Device): Promise<number> {
  await one.page.waitForFunction(() => (window as unknown as Noted).usableAt !== undefined);
  return one.page.evaluate(() => (window as unknown as Noted).usableAt);
}

test('first load: what goes over the wire before somebody can sign up', async () => {
  const one = await device({ before: usable('#handle') });
  await one.visit();
  await usableAfter(one);
  await one.page.evaluate(() => document.fonts.ready.then(() => undefined));
  const sizes = await one.page.evaluate(() => {
    const { usableAt } = window as unknown as Noted;
    const resources = performance.getEntriesByType('resource') as PerformanceResourceTiming[];
    const sum = (ending: RegExp): number => resources.filter(({ name, startTime }) => ending.test(name) && startTime <= usableAt).reduce((all, each) => all + each.encodedBodySize, 0);
    return { code: sum(/\.(js|css)$/), fonts: resources.filter(({ name }) => name.endsWith('.woff2')).reduce((all, each) => all + each.encodedBodySize, 0) };
  });
  keep('first load, JavaScript and CSS, compressed', `${(sizes.code / 1024).toFixed(1)} KB of 130`);
  keep('first load, fonts', `${(sizes.fonts / 1024).toFixed(1)} KB of 120`);
  expect(sizes.code).toBeGreaterThan(10_000);
  expect(sizes.code).toBeLessThan(130 * 1024);
  expect(sizes.fonts).toBeLessThan(120 * 1024);
});

test('first load on 400 kbit/s with 400 ms of round trip', async () => {
  const times: number[] = [];
  for (let round = 0; round < 3; round++) {
    const one = await device({ before: usable('#handle') });
    const cdp = await one.context.newCDPSession(one.page);
    await cdp.send('Network.enable');
    await cdp.send('Network.emulateNetworkConditions', { offline: false, latency: 400, downloadThroughput: 50_000, uploadThroughput: 50_000 });
    await one.page.goto(one.url, { waitUntil: 'commit', timeout: 60_000 });
    times.push(await usableAfter(one));
    await one.close();
  }
  keep('first load at 400 kbit/s, 400 ms, until usable', ms(times));
});

test('warm start: until the chats of the cache are on the screen', async () => {
  const world = await seed(url());
  const one = await device({ before: usable('nav ul a.row') });
  await one.signIn(world.mina.handle);
  await one.main.row('خانواده').waitFor();
  await one.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  const times: number[] = [];
  for (let round = 0; round < 10; round++) {
    await one.page.goto('about:blank');
    await one.page.goto(one.url);
    times.push(await usableAfter(one));
  }
  keep('warm start until the chats are on the screen', ms(times));
});

test('sending: on the own screen, and on the other', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John');
  await mina.person.direct(john.person);
  await mina.device.main.open('John');
  await john.device.main.open('مینا');
  // When Enter was pressed, and when a bubble was first there: by the clock that both pages share.
  for (const { device: each } of [mina, john]) {
    await each.page.evaluate(() => {
      const now = (): number => performance.timeOrigin + performance.now();
      const notes = Object.assign(window, { pressed: {} as Record<string, number>, seen: {} as Record<string, number>, painted: {} as Record<string, number> });
      addEventListener('keydown', (event) => {
        if (event.key !== 'Enter') return;
        const text = (event.target as HTMLTextAreaElement).value;
        notes.pressed[text] = now();
      }, true);
      new MutationObserver(() => {
        for (const content of [...document.querySelectorAll('li.message .content')].slice(-3)) {
          const text = (content as HTMLElement).textContent?.trim() ?? '';
          if (notes.seen[text] !== undefined) continue;
          notes.seen[text] = now();
          requestAnimationFrame(() => setTimeout(() => (notes.painted[text] = now())));
        }
      }).observe(document.body, { childList: true, subtree: true });
    });
  }
  const rounds = 40;
  for (let round = 1; round <= rounds; round++) {
    await mina.device.main.say(`پیام شمارهٔ ${round}`);
    await john.device.main.message(`پیام شمارهٔ ${round}`).last().waitFor();
  }
  type Notes = Record<'pressed' | 'seen' | 'painted', Record<string, number>>;
  const read = (tab: Tab): Promise<Notes> => tab.page.evaluate(() => {
    const { pressed, seen, painted } = window as unknown as Notes;
    return { pressed, seen, painted };
  });
  const [hers, his] = [await read(mina.device.main), await read(john.device.main)];
  const texts = Object.keys(hers.pressed).filter((text) => hers.seen[text] !== undefined && his.seen[text] !== undefined);
  expect(texts.length).toBe(rounds);
  const since = (notes: Record<string, number>): number[] => texts.map((text) => (notes[text] ?? NaN) - (hers.pressed[text] ?? NaN));
  keep('send: in the own page', ms(since(hers.seen)));
  keep('send: own frame painted', ms(since(hers.painted)));
  keep('send: in the other page, on loopback', ms(since(his.seen)));
  keep('send: other frame painted, on loopback', ms(since(his.painted)));
});

const MANY = 100_000;

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
  const elements = (): Promise<number> => one.page.evaluate(() => document.querySelectorAll('*').length);
  const rows = (): Promise<number> => tab.history.locator('li.message').count();
  const first = (): Promise<number> => tab.history.locator('li.message').first().getAttribute('data-seq').then(Number);
  const [heapBefore, firstBefore] = [await heap(), await first()];
  let most = { elements: await elements(), rows: await rows() };

  const events: { name: string; ts: number; dur?: number; args?: { frame_reporter?: { state?: string } } }[] = [];
  cdp.on('Tracing.dataCollected', ({ value }) => events.push(...(value as unknown as typeof events)));
  await cdp.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: ['disabled-by-default-devtools.timeline.frame', 'devtools.timeline.frame', 'devtools.timeline', 'disabled-by-default-devtools.timeline', 'cc'] } });
  const box = (await tab.history.boundingBox())!;
  for (let stretch = 0; stretch < 8; stretch++) {
    await cdp.send('Input.synthesizeScrollGesture', { x: box.x + box.width / 2, y: box.y + box.height / 2, yDistance: 6_000, speed: 3_000, gestureSourceType: 'mouse' });
    most = { elements: Math.max(most.elements, await elements()), rows: Math.max(most.rows, await rows()) };
  }
  const done = new Promise<void>((resolve) => cdp.once('Tracing.tracingComplete', () => resolve()));
  await cdp.send('Tracing.end');
  await done;
  const firstAfter = await first();

  // Frames that were drawn, and the time from each to the next; a pause between two gestures is no frame.
  const drawn = events.filter(({ name }) => name === 'DrawFrame').map(({ ts }) => ts / 1000).sort((a, b) => a - b);
  const gaps = drawn.slice(1).map((time, index) => time - (drawn[index] ?? time)).filter((gap) => gap > 1 && gap < 250);
  const tasks = events.filter(({ name, dur }) => name === 'RunTask' && dur !== undefined).map(({ dur }) => (dur ?? 0) / 1000);
  keep('100,000 messages: time from frame to frame while scrolling', ms(gaps));
  keep('100,000 messages: tasks of more than 50 ms', `${tasks.filter((each) => each > 50).length} of ${tasks.length}, longest ${Math.max(0, ...tasks).toFixed(0)} ms`);
  keep('100,000 messages: scrolled over', `${firstBefore - firstAfter} messages`);
  keep('100,000 messages: most elements, most rows in the page', `${most.elements}, ${most.rows}`);
  keep('100,000 messages: JavaScript heap', `${heapBefore.toFixed(1)} MB before, ${(await heap()).toFixed(1)} MB after`);
  expect(firstBefore - firstAfter).toBeGreaterThan(200);
  expect(most.rows).toBeLessThan(400);
  expect(most.elements).toBeLessThan(8_000);

  // From one end to the other at once.
  const began = Date.now();
  await one.page.evaluate((to) => void (location.hash = `#/chat/${to}/1`), chat);
  await tab.history.locator('li.message[data-seq="1"]').waitFor();
  keep('100,000 messages: jump from the last to the first', `${Date.now() - began} ms`);
  await eventually(async () => expect(await rows()).toBeLessThan(400));
});
