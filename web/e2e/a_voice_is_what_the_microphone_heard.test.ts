import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { launch } from './support/browser';
import { Person } from './support/people';
import { device, eventually, somebody, url } from './support/stage';
import { tone } from './support/wav';

test('what goes into the microphone as a WAV file comes out of the other browser as the same tone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'chapar-wav-'));
  writeFileSync(join(folder, 'tone.wav'), tone(440, 5));
  const browser = await launch(`--use-file-for-fake-audio-capture=${join(folder, 'tone.wav')}`);
  onTestFinished(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const john = await somebody('John', { language: 'en' });
  const person = await Person.register(url(), 'مینا');
  await person.direct(john.person);
  const mina = await device({ context: await browser.newContext({ permissions: ['microphone'] }) });
  await mina.signIn(person.handle);
  const hers = mina.main;
  await hers.open('John');
  await hers.page.getByRole('button', { name: hers.words.media.record, exact: true }).click();
  await hers.page.getByRole('timer').getByText(/[3-9۳-۹]/).waitFor();
  await hers.page.getByRole('button', { name: hers.words.chat.send, exact: true }).click();

  const his = john.device.main;
  await his.open('مینا');
  await his.history.locator('.voice').waitFor();
  const [asked] = await Promise.all([his.page.waitForRequest(/\/files\/d\//), his.history.locator('.voice .play').click()]);
  const heard = await his.page.evaluate(async (address) => {
    const context = new OfflineAudioContext(1, 48_000, 48_000);
    const sound = await context.decodeAudioData(await (await fetch(address)).arrayBuffer());
    // A second from the middle: how often it crosses nought, and how loud it is.
    const samples = sound.getChannelData(0).subarray(48_000, 96_000);
    let crossings = 0;
    let sum = 0;
    for (let at = 1; at < samples.length; at++) {
      if ((samples[at - 1] ?? 0) < 0 !== (samples[at] ?? 0) < 0) crossings += 1;
      sum += (samples[at] ?? 0) ** 2;
    }
    return { hertz: crossings / 2, loudness: Math.sqrt(sum / samples.length), seconds: sound.duration };
  }, asked.url());
  expect(heard.seconds).toBeGreaterThan(2.5);
  expect(heard.hertz).toBeGreaterThan(420);
  expect(heard.hertz).toBeLessThan(460);
  expect(heard.loudness).toBeGreaterThan(0.02);
  // It played to its end there.
  await eventually(async () => expect(await his.page.getByRole('region', { name: his.words.media.player }).count()).toBe(0));
});
