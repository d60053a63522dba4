import { expect, test } from 'vitest';
import { eventually, somebody } from './support/stage';

test('a voice is recorded, listened to before it is sent, heard by the other one while another chat is read, and the next plays by itself', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en' });
  const sara = await somebody('سارا');
  await mina.person.direct(john.person);
  await john.person.direct(sara.person);
  await mina.device.context.grantPermissions(['microphone'], { origin: mina.device.url });
  const [hers, his] = [mina.device.main, john.device.main];
  await hers.open('John');
  const words = hers.words.media;
  const record = async (): Promise<void> => {
    await hers.page.getByRole('button', { name: words.record, exact: true }).click();
    await hers.page.getByRole('timer').getByText(/[1-9۱-۹]/).waitFor();
  };

  // One that is thrown away leaves nothing.
  await record();
  await hers.page.getByRole('button', { name: words.recordCancel, exact: true }).click();
  await hers.composer.waitFor();
  expect(await hers.history.locator('.voice').count()).toBe(0);

  await record();
  await hers.page.getByRole('button', { name: words.recordStop, exact: true }).click();
  await hers.page.getByRole('button', { name: words.recordPlay, exact: true }).click();
  await hers.page.getByRole('group', { name: words.record }).getByRole('button', { name: words.pause, exact: true }).waitFor();
  await hers.page.getByRole('button', { name: hers.words.chat.send, exact: true }).click();
  await eventually(async () => expect(await hers.history.locator('.voice').count()).toBe(1));
  // Sent at once, without listening.
  await record();
  await hers.page.getByRole('button', { name: hers.words.chat.send, exact: true }).click();
  await eventually(async () => expect(await hers.history.locator('.voice').count()).toBe(2));

  await his.open('مینا');
  await eventually(async () => expect(await his.history.locator('.voice').count()).toBe(2));
  const fresh = his.history.getByRole('img', { name: his.words.media.notHeard });
  await eventually(async () => expect(await fresh.count()).toBe(2));
  // What the server says of it: how long it is, and how loud.
  const rows = await john.person.call<{ messages: { body: { kind: string; duration_ms: number; waveform: string; file: { mime: string; size: number } } }[] }>('history', { chat_id: await mina.person.direct(john.person), seq: 1, before: 0, after: 50 });
  for (const { body } of rows.messages.filter((it) => it.body.kind === 'voice')) {
    expect(body.file.mime).toBe('audio/ogg');
    expect(body.duration_ms).toBeGreaterThan(700);
    expect(body.waveform).toHaveLength(84);
    // 24 kbit/s: half a minute is under 110 KB.
    expect(body.file.size / body.duration_ms).toBeLessThan(110_000 / 30_000 + 1);
  }
  await his.history.locator('.voice .play').first().click();
  const player = his.page.getByRole('region', { name: his.words.media.player });
  await player.waitFor();
  await his.open('سارا');
  // It plays on, then the next one, then it is over.
  await eventually(async () => expect(await player.count()).toBe(0));
  await his.open('مینا');
  await eventually(async () => expect(await his.history.locator('.voice').count()).toBe(2));
  expect(await fresh.count()).toBe(0);
});

test('a microphone that is refused is said, with what to do, and words can be written all the same', async () => {
  const mina = await somebody('مینا', { before: "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));" });
  const john = await somebody('John');
  await mina.person.direct(john.person);
  const hers = mina.device.main;
  await hers.open('John');
  await hers.page.getByRole('button', { name: hers.words.media.record, exact: true }).click();
  await hers.page.getByRole('alert').getByText(hers.words.media.microphoneDenied).waitFor();
  await hers.page.keyboard.press('Escape');
  await hers.say('then in words');
  await hers.message('then in words').waitFor();
});
