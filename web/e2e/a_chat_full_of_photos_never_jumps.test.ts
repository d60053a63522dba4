import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { picture } from './support/files';
import { eventually, somebody } from './support/stage';

interface Shift {
  value: number;
  what: string[];
}

/** Chromium's own measure of what jumped, without what the person's own doing moved. */
const WATCH = `
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput) continue;
      window.shifts.push({ value: entry.value, what: entry.sources.map(({ node, previousRect, currentRect }) => (node?.outerHTML ?? node?.textContent ?? '').slice(0, 120) + ' ' + JSON.stringify([previousRect, currentRect])) });
    }
  }).observe({ type: 'layout-shift', buffered: true });
`;

test('a chat with 60 photos on 400 kbit/s shows its previews at once, loads what the screen needs, and nothing jumps', async () => {
  const mina = await somebody('مینا', { size: 'phone', before: WATCH });
  const john = await somebody('John', { language: 'en' });
  const chat = await mina.person.direct(john.person);
  const shapes = [[800, 600], [480, 640], [800, 450], [500, 500]] as const;
  const ids: string[] = [];
  for (const [at, [width, height]] of shapes.entries()) ids.push(await john.person.upload('photo', picture(`${at}.png`, width, height, [[40 * at, 160, 220 - 40 * at], [200, 60 * at, 40]])));
  for (let at = 0; at < 60; at++) await john.person.call('send', { chat_id: chat, client_id: randomUUID(), body: { kind: 'photo', file_id: ids[at % ids.length] } });

  const { page } = mina.device;
  const cdp = await mina.device.context.newCDPSession(page);
  await mina.device.main.row('John').waitFor();
  // What the page itself loads is another matter: it is there by now.
  await cdp.send('Network.enable');
  await cdp.send('Network.emulateNetworkConditions', { offline: false, latency: 200, downloadThroughput: 50_000, uploadThroughput: 50_000 });
  await page.evaluate(() => ((window as unknown as { shifts: Shift[] }).shifts = []));
  await mina.device.main.open('John');
  // Drawn before anything of a picture can have come.
  await page.locator('.tile canvas').first().waitFor();
  const drawn = await page.locator('.tile').evaluateAll((tiles) => tiles.filter((tile) => tile.querySelector('canvas')).length);
  expect(drawn).toBeGreaterThan(20);
  await eventually(async () => expect(await page.locator('.tile img.loaded').count()).toBeGreaterThanOrEqual(2));
  const sides = await page.locator('.tile img.loaded').evaluateAll((images) => images.map((image) => Math.max((image as HTMLImageElement).naturalWidth, (image as HTMLImageElement).naturalHeight)));
  expect(Math.max(...sides)).toBeLessThanOrEqual(1280);
  await page.waitForTimeout(1_500);
  const shifts = await page.evaluate(() => (window as unknown as { shifts: Shift[] }).shifts);
  expect(shifts.filter(({ what }) => what.some((it) => /tile|drawn|bubble|message|<li/.test(it)))).toEqual([]);
});
