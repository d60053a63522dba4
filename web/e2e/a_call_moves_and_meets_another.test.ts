import { expect, test } from 'vitest';
import { hears, inCall, KEEP_PEERS, ring, ringing, answer, twoWhoCall } from './support/calls';
import { device, eventually } from './support/stage';
import { WORDS } from './support/words';

const { fa, en } = WORDS;

test('both call each other at the same moment: one call comes of it, without anybody answering', async () => {
  const { mina, hers, his } = await twoWhoCall();
  await Promise.all([hers.open('John'), his.open('مینا')]);
  await Promise.all([
    hers.page.getByRole('button', { name: fa.chat.call, exact: true }).click(),
    his.page.getByRole('button', { name: en.chat.call, exact: true }).click(),
  ]);
  // Where one was quicker by a whole ring the other answers: that is no glare, and no failure.
  await eventually(async () => {
    const button = ringing(hers, 'John').getByRole('button', { name: fa.call.answer, exact: true }).or(ringing(his, 'مینا').getByRole('button', { name: en.call.answer, exact: true }));
    if (await button.isVisible()) await button.click({ timeout: 1_000 }).catch(() => {});
    expect(await inCall(hers, 'John').count()).toBe(1);
    expect(await inCall(his, 'مینا').count()).toBe(1);
  });
  await Promise.all([hears(hers), hears(his)]);
  const live = await mina.person.call<{ calls: unknown[] }>('get_calls', { limit: 10 });
  expect(live.calls.length).toBeLessThanOrEqual(1);
  await inCall(hers, 'John').getByRole('button', { name: fa.call.hangUp, exact: true }).click();
  await inCall(his, 'مینا').waitFor({ state: 'detached' });
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

  const microphone = inCall(hers, 'John').getByLabel(fa.call.microphone, { exact: true });
  const wanted = await microphone.locator('option').last().getAttribute('value');
  await microphone.selectOption(wanted);
  await eventually(async () => expect(await sends(hers)).toBe(wanted));
  await hears(his);

  const speaker = inCall(hers, 'John').getByLabel(fa.call.speaker, { exact: true });
  const loud = await speaker.locator('option').last().getAttribute('value');
  expect(loud).not.toBe('');
  await speaker.selectOption(loud);
  await eventually(async () => expect(await hers.page.locator('audio').evaluate((audio: HTMLAudioElement & { sinkId: string }) => audio.sinkId)).toBe(loud));
  await hears(hers);

  // Chosen once, it holds for the next call too.
  await inCall(hers, 'John').getByRole('button', { name: fa.call.hangUp, exact: true }).click();
  await hers.dialog(fa.call.rateTitle).getByRole('button', { name: fa.call.rateSkip, exact: true }).click();
  await his.dialog(en.call.rateTitle).getByRole('button', { name: en.call.rateSkip, exact: true }).click();
  await ring(hers, 'John');
  await answer(his, 'مینا');
  await hears(his);
  expect(await sends(hers)).toBe(wanted);
  expect(await hers.page.locator('audio').evaluate((audio: HTMLAudioElement & { sinkId: string }) => audio.sinkId)).toBe(loud);
});

/** The microphone whose sound goes out. */
function sends(tab: Parameters<typeof hears>[0]): Promise<string | undefined> {
  return tab.page.evaluate(() => {
    const { peers } = window as unknown as { peers: RTCPeerConnection[] };
    const open = peers.findLast((peer) => peer.connectionState !== 'closed');
    return open?.getSenders().find(({ track }) => track?.kind === 'audio')?.track?.getSettings().deviceId;
  });
}
