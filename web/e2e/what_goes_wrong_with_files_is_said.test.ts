import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { attach, noise, picture, sheet, voice } from './support/files';
import { eventually, somebody } from './support/stage';

const film = { name: 'film.mp4', mimeType: 'video/mp4', buffer: readFileSync(new URL('../../server/media/tests/recordings/film.mp4', import.meta.url)) };

test('a headset is pulled out while one speaks: what was said can be listened to and sent', async () => {
  const before = 'const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices); navigator.mediaDevices.getUserMedia = async (wanted) => (window.stream = await open(wanted));';
  const mina = await somebody('مینا', { before });
  const john = await somebody('John', { language: 'en' });
  await mina.person.direct(john.person);
  const hers = mina.device.main;
  await hers.open('John');
  await hers.page.getByRole('button', { name: hers.words.media.record, exact: true }).click();
  await hers.page.getByRole('timer').getByText(/[2-9۲-۹]/).waitFor();
  await hers.page.evaluate(() => (window as unknown as { stream: MediaStream }).stream.getTracks().forEach((track) => track.stop()));
  await hers.page.getByRole('button', { name: hers.words.media.recordPlay, exact: true }).waitFor();
  await hers.page.getByRole('button', { name: hers.words.chat.send, exact: true }).click();
  await john.device.main.open('مینا');
  await john.device.main.history.locator('.voice').waitFor();
});

test('whoever cancels while pictures are made ready sends nothing, and keeps the words', async () => {
  const before = 'const make = window.createImageBitmap.bind(window); window.createImageBitmap = async (...given) => (await new Promise((go) => setTimeout(go, 1500)), make(...given));';
  const mina = await somebody('مینا', { before });
  const john = await somebody('John', { language: 'en' });
  const chat = await mina.person.direct(john.person);
  const hers = mina.device.main;
  await hers.open('John');
  await hers.composer.fill('words that stay');
  await attach(hers, picture('1.png', 400, 300), picture('2.png', 300, 400));
  const dialog = sheet(hers, 2);
  await dialog.getByRole('button', { name: hers.words.chat.send }).click();
  await dialog.getByRole('button', { name: hers.words.common.cancel, exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  await hers.page.waitForTimeout(4_000);
  const { messages } = await john.person.call<{ messages: { body: { kind: string } }[] }>('history', { chat_id: chat, seq: 1, before: 0, after: 50 });
  expect(messages.map(({ body }) => body.kind)).not.toContain('photo');
  expect(await hers.history.locator('.tile').count()).toBe(0);
  expect(await hers.composer.inputValue()).toBe('words that stay');
});

test('a film that this browser cannot play is said so, with what to do, and is not asked for again and again', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en' });
  const chat = await mina.person.direct(john.person);
  await mina.person.give(chat, { kind: 'video', file_id: await mina.person.upload('video', film), width: 320, height: 240, duration_ms: 1000 });
  const his = john.device.main;
  // As a codec that this browser has not.
  let asked = 0;
  await john.device.context.route(/\/files\/d\//, async (route) => {
    asked += 1;
    await route.fulfill({ status: 200, contentType: 'video/mp4', body: noise('codec', 20_000).buffer });
  });
  await his.open('مینا');
  await his.history.locator('.tile .open').click();
  const viewer = his.page.getByRole('dialog', { name: his.words.media.viewer });
  await viewer.getByRole('alert').getByText(his.words.media.notPlayable).waitFor();
  const before = asked;
  await his.page.waitForTimeout(7_000);
  expect(asked).toBe(before);
  // Saved it can be played elsewhere.
  await his.page.keyboard.press('Escape');
  await viewer.waitFor({ state: 'detached' });
  await john.device.context.unroute(/\/files\/d\//);
  await his.history.locator('.tile .open').click();
  await eventually(async () => expect(await viewer.locator('video').evaluate((it) => (it as HTMLVideoElement).readyState)).toBeGreaterThan(1));
});

test('a voice falls silent when somebody calls', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en' });
  const chat = await mina.person.direct(john.person);
  await mina.person.give(chat, { kind: 'voice', file_id: await mina.person.upload('voice', voice('long.ogg', 90)) });
  const [hers, his] = [mina.device.main, john.device.main];
  await his.open('مینا');
  await his.history.locator('.voice .play').click();
  const player = his.page.getByRole('region', { name: his.words.media.player });
  await player.getByRole('button', { name: his.words.media.pause, exact: true }).waitFor();
  await hers.open('John');
  await hers.page.getByRole('button', { name: hers.words.chat.call, exact: true }).click();
  await his.dialog(his.words.call.incoming('\u2068مینا\u2069')).waitFor();
  await eventually(async () => expect(await his.page.locator('section.player button').first().getAttribute('aria-label')).toBe(his.words.media.play));
});
