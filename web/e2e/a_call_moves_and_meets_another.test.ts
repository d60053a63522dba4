import type { Locator } from 'playwright-core';
import { expect, test } from 'vitest';
import type { Tab } from './support/browser';
import { answer, hears, inCall, KEEP_PEERS, ring, ringing, twoWhoCall } from './support/calls';
import { device, eventually } from './support/stage';
import { WORDS } from './support/words';

const { fa, en } = WORDS;

test('both call each other at the same moment: one call comes of it, without anybody answering', async () => {
  const { mina, john, hers, his } = await twoWhoCall();
  await Promise.all([hers.open('John'), his.open('مینا')]);
  // Pressed by both before either can have heard of the other.
  const when = Date.now() + 500;
  const press = (tab: Tab): Promise<void> =>
    tab.page.getByRole('button', { name: tab.words.chat.call, exact: true }).evaluate(
      (button, at) => new Promise<void>((done) => setTimeout(() => ((button as HTMLElement).click(), done()), at - Date.now())),
      when,
    );
  await Promise.all([press(hers), press(his)]);
  await Promise.all([inCall(hers, 'John').waitFor(), inCall(his, 'مینا').waitFor()]);
  await Promise.all([hears(hers), hears(his)]);
  await inCall(hers, 'John').getByRole('button', { name: fa.call.hangUp, exact: true }).click();
  await inCall(his, 'مینا').waitFor({ state: 'detached' });
  // The one that lost is no call that anybody missed, or finds in the log.
  for (const { device } of [mina, john]) await device.visit('#/calls');
  for (const tab of [hers, his]) {
    const log = tab.page.getByRole('region', { name: tab.words.call.log });
    await log.getByRole('listitem').first().waitFor();
    expect(await log.getByRole('listitem').count()).toBe(1);
  }
  for (const tab of [hers, his]) expect(await tab.list.getByRole('img', { name: tab.words.call.missed(1) }).count()).toBe(0);
});

test('a call goes on at the own other device, and the first one falls silent', async () => {
  const { mina, hers, his } = await twoWhoCall();
  const phone = await device({ size: 'phone', before: KEEP_PEERS });
  await phone.signIn(mina.person.handle);
  const pocket = phone.main;
  await ring(hers, 'John');
  await answer(his, 'مینا');
  await Promise.all([hears(hers), hears(his)]);

  await inCall(hers, 'John').getByRole('button', { name: fa.call.devices, exact: true }).click();
  const others = inCall(hers, 'John').getByRole('group', { name: fa.call.transfer });
  // Devices of this account: the one that made it over the API, and the phone, which is the last that signed in.
  await others.getByRole('button').first().click();
  await ringing(pocket, 'John').getByText(fa.call.takeOver, { exact: true }).waitFor();
  await ringing(pocket, 'John').getByRole('button', { name: fa.call.answer, exact: true }).click();
  await inCall(pocket, 'John').waitFor();
  await inCall(hers, 'John').waitFor({ state: 'detached' });
  await Promise.all([hears(pocket), hears(his)]);
  expect(await inCall(his, 'مینا').count()).toBe(1);
  await inCall(pocket, 'John').getByRole('button', { name: fa.call.hangUp, exact: true }).click();
  await inCall(his, 'مینا').waitFor({ state: 'detached' });
});

test('another microphone and another speaker are taken in the middle of a call, and it goes on', async () => {
  const { hers, his } = await twoWhoCall();
  await ring(hers, 'John');
  await answer(his, 'مینا');
  await Promise.all([hears(hers), hears(his)]);
  await inCall(hers, 'John').getByRole('button', { name: fa.call.devices, exact: true }).click();

  const microphone = choice(hers, fa.call.microphone);
  const wanted = await microphone.locator('option').last().getAttribute('value');
  await microphone.selectOption(wanted);
  await eventually(async () => expect(await sends(hers)).toBe(wanted));
  await hears(his);

  const speaker = choice(hers, fa.call.speaker);
  const loud = await speaker.locator('option').last().getAttribute('value');
  expect(loud).not.toBe('');
  await speaker.selectOption(loud);
  await eventually(async () => expect(await sounds(hers)).toBe(loud));
  await hears(hers);

  // Chosen once, it holds for the next call too.
  await inCall(hers, 'John').getByRole('button', { name: fa.call.hangUp, exact: true }).click();
  await hers.dialog(fa.call.rateTitle).getByRole('button', { name: fa.call.rateSkip, exact: true }).click();
  await his.dialog(en.call.rateTitle).getByRole('button', { name: en.call.rateSkip, exact: true }).click();
  await ring(hers, 'John');
  await answer(his, 'مینا');
  await hears(his);
  await eventually(async () => {
    expect(await sends(hers)).toBe(wanted);
    expect(await sounds(hers)).toBe(loud);
  });
});

const choice = (tab: Tab, label: string): Locator => inCall(tab, 'John').locator('label').filter({ has: tab.page.getByText(label, { exact: true }) }).locator('select');

/** The speaker that plays what one hears. */
const sounds = (tab: Tab): Promise<string> => tab.page.locator('audio').evaluate((audio: HTMLAudioElement & { sinkId: string }) => audio.sinkId);

/** The microphone whose sound goes out. */
function sends(tab: Tab): Promise<string | undefined> {
  return tab.page.evaluate(() => {
    const { peers } = window as unknown as { peers: RTCPeerConnection[] };
    const open = peers.findLast((peer) => peer.connectionState !== 'closed');
    return open?.getSenders().find(({ track }) => track?.kind === 'audio')?.track?.getSettings().deviceId;
  });
}
