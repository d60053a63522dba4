// How soon a voice of half a minute can be played by the other one once the finger has gone, both at 400 kbit/s, and how many bytes it
// has.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { launch } from '../support/browser';
import { Lossy } from '../support/lossy';
import { Person } from '../support/people';
import { device, eventually, url } from '../support/stage';
import { murmur } from '../support/wav';
import { ms, table } from './figures';

const keep = table();
const ROUNDS = 3;
const SECONDS = 30;
/** Without loss, and with a delay of a phone's line. */
const LINE = ['--loss', '0', '--delay', '40', '--jitter', '0', '--rate', '400000'];

test('half a minute of speech can be played soon after the finger has gone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'chapar-wav-'));
  writeFileSync(join(folder, 'speech.wav'), murmur(SECONDS + 5));
  const browser = await launch(`--use-file-for-fake-audio-capture=${join(folder, 'speech.wav')}`);
  onTestFinished(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const [mina, john] = [await Person.register(url(), 'مینا'), await Person.register(url(), 'John')];
  const chat = await mina.direct(john);
  const seed = 7;
  const port = Number(new URL(url()).port);
  const [hersNet, hisNet] = await Promise.all([Lossy.to(port, seed, LINE), Lossy.to(port, seed + 1, LINE)]);
  const one = await device({ at: hersNet.url, context: await browser.newContext({ permissions: ['microphone'] }) });
  await one.signIn(mina.handle);
  const other = await device({ at: hisNet.url });
  await other.signIn(john.handle);
  const [hers, his] = [one.main, other.main];
  await hers.open('John');
  await his.open('مینا');
  // By the clock that all pages of the machine share.
  await his.page.evaluate(() => {
    const seen: number[] = Object.assign(window, { playable: [] as number[] }).playable;
    new MutationObserver(() => {
      while (seen.length < document.querySelectorAll('.voice .play:not(:disabled)').length) seen.push(performance.timeOrigin + performance.now());
    }).observe(document.body, { subtree: true, childList: true, attributes: true });
  });
  await hers.page.evaluate(() => {
    const gone: number[] = Object.assign(window, { gone: [] as number[] }).gone;
    addEventListener('pointerup', () => gone.push(performance.timeOrigin + performance.now()), true);
  });
  const took: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await hers.page.getByRole('button', { name: hers.words.media.record, exact: true }).click();
    await hers.page.waitForTimeout(SECONDS * 1_000);
    await hers.page.getByRole('button', { name: hers.words.chat.send, exact: true }).click();
    await eventually(async () => expect(await his.history.locator('.voice .play').count()).toBe(round + 1));
    const gone = (await hers.page.evaluate(() => (window as unknown as { gone: number[] }).gone)).at(-1) ?? NaN;
    const playable = (await his.page.evaluate(() => (window as unknown as { playable: number[] }).playable))[round] ?? NaN;
    took.push(playable - gone);
  }
  const rows = await john.call<{ messages: { body: { duration_ms: number; file: { size: number } } }[] }>('history', { chat_id: chat, seq: 1, before: 0, after: 50 });
  const sizes = rows.messages.map(({ body }) => `${(body.file.size / 1_000).toFixed(1)} KB for ${(body.duration_ms / 1_000).toFixed(1)} s`);
  keep(`a voice of ${SECONDS} s at 400 kbit/s: from the finger's going to the other's play button`, ms(took));
  keep('its bytes', sizes.join(', '));
}, 300_000);
