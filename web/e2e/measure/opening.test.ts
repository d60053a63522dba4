// How fast the app is, as figures: nothing here fails because a machine is slow. Sizes and the number of elements are no
// timings, and may fail.
import { expect, test } from 'vitest';
import type { Device } from '../support/browser';
import { seed } from '../support/seed';
import { device, url } from '../support/stage';
import { ms, table } from './figures';

const keep = table();

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
  const one = await device({ before: usable('#name') });
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
    const one = await device({ before: usable('#name') });
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
