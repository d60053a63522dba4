import type { Locator } from 'playwright-core';
import { expect, test } from 'vitest';
import type { Tab } from './support/browser';
import { hears, inCall, live, opened, ringing, seen, twoWhoCall } from './support/calls';
import { eventually } from './support/stage';
import { WORDS } from './support/words';

const { fa, en } = WORDS;

/** Waits until pictures really come from now on: decoded, and on the screen in a size. */
async function sees(tab: Tab, picture: Locator): Promise<void> {
  let first: number | undefined;
  await eventually(async () => {
    const frames = await seen(tab);
    first ??= frames;
    expect((frames ?? 0) - (first ?? Infinity)).toBeGreaterThan(10);
  });
  await eventually(async () => expect(await picture.evaluate((video: HTMLVideoElement) => video.videoWidth)).toBeGreaterThan(0));
}

test('a video call: both see each other, and go on talking when the cameras are off', async () => {
  const { hers, his } = await twoWhoCall();
  await hers.open('John');
  await hers.page.getByRole('button', { name: fa.common.more, exact: true }).click();
  await hers.menuItem(fa.chat.videoCall).click();
  await ringing(his, 'مینا').getByText(en.call.videoCall, { exact: true }).waitFor();
  await ringing(his, 'مینا').getByRole('button', { name: en.call.answerVideo, exact: true }).click();
  const [onHers, onHis] = [inCall(hers, 'John').locator('video.picture'), inCall(his, 'مینا').locator('video.picture')];
  await Promise.all([sees(hers, onHers), sees(his, onHis), hears(hers), hears(his)]);

  // She turns hers off: he sees who it is instead; she sees him still.
  await inCall(hers, 'John').getByRole('button', { name: fa.call.videoOff, exact: true }).click();
  await onHis.waitFor({ state: 'detached' });
  await sees(hers, onHers);
  await inCall(his, 'مینا').getByRole('button', { name: en.call.videoOff, exact: true }).click();
  await onHers.waitFor({ state: 'detached' });
  await Promise.all([hears(hers), hears(his)]);

  // And on again.
  await inCall(hers, 'John').getByRole('button', { name: fa.call.videoOn, exact: true }).click();
  await onHis.waitFor();
  await sees(his, onHis);
});

test('a voice call becomes one with video only when the other side wants it, too', async () => {
  const { hers, his } = await twoWhoCall();
  await hers.open('John');
  await hers.page.getByRole('button', { name: fa.chat.call, exact: true }).click();
  await ringing(his, 'مینا').getByRole('button', { name: en.call.answer, exact: true }).click();
  await Promise.all([hears(hers), hears(his)]);
  const wish = inCall(his, 'مینا').getByRole('alertdialog', { name: en.call.askVideo('مینا') });

  await inCall(hers, 'John').getByRole('button', { name: fa.call.videoOn, exact: true }).click();
  await wish.getByRole('button', { name: en.call.refuse, exact: true }).click();
  await wish.waitFor({ state: 'detached' });
  await inCall(hers, 'John').getByRole('button', { name: fa.call.videoOn, exact: true }).waitFor();
  expect(await inCall(his, 'مینا').locator('video.picture').count()).toBe(0);

  await inCall(hers, 'John').getByRole('button', { name: fa.call.videoOn, exact: true }).click();
  await wish.getByText(en.call.askVideoLead).waitFor();
  await wish.getByRole('button', { name: en.call.allow, exact: true }).click();
  const [onHers, onHis] = [inCall(hers, 'John').locator('video.picture'), inCall(his, 'مینا').locator('video.picture')];
  await sees(his, onHis);
  // He agreed to see her, and to nothing else: his camera never opened.
  expect(await opened(his)).toEqual(['audio']);
  expect(await onHers.count()).toBe(0);
  await Promise.all([hears(hers), hears(his)]);

  await inCall(his, 'مینا').getByRole('button', { name: en.call.videoOn, exact: true }).click();
  await Promise.all([sees(hers, onHers), sees(his, onHis)]);

  await inCall(his, 'مینا').getByRole('button', { name: en.call.hangUp, exact: true }).click();
  await eventually(async () => expect([await live(hers), await live(his)]).toEqual([[], []]));
});

test('the one who called agrees to see the other, and shows nothing of herself', async () => {
  const { hers, his } = await twoWhoCall();
  await hers.open('John');
  await hers.page.getByRole('button', { name: fa.chat.call, exact: true }).click();
  await ringing(his, 'مینا').getByRole('button', { name: en.call.answer, exact: true }).click();
  await Promise.all([hears(hers), hears(his)]);
  await inCall(his, 'مینا').getByRole('button', { name: en.call.videoOn, exact: true }).click();
  const wish = inCall(hers, 'John').getByRole('alertdialog', { name: fa.call.askVideo('John') });
  await wish.getByRole('button', { name: fa.call.allow, exact: true }).click();
  await sees(hers, inCall(hers, 'John').locator('video.picture'));
  expect(await opened(hers)).toEqual(['audio']);
});
