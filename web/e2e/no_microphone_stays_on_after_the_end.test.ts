import { expect, test } from 'vitest';
import type { Tab } from './support/browser';
import { answer, hears, hold, inCall, live, opened, ring, ringing, twoWhoCall } from './support/calls';
import { eventually } from './support/stage';
import { WORDS } from './support/words';

const { fa, en } = WORDS;

/** Closed, and closed still when all that was under way has come to its end. */
async function allClosed(...tabs: Tab[]): Promise<void> {
  for (const tab of tabs) await eventually(async () => expect(await live(tab)).toEqual([]));
}

async function noRating(tab: Tab): Promise<void> {
  await tab.dialog(tab.words.call.rateTitle).getByRole('button', { name: tab.words.call.rateSkip, exact: true }).click();
}

test('after a call that either of them ends', async () => {
  const { hers, his } = await twoWhoCall();
  for (const ends of [hers, his]) {
    await ring(hers, 'John');
    await answer(his, 'مینا');
    await Promise.all([hears(hers), hears(his)]);
    expect([await live(hers), await live(his)]).toEqual([['audio'], ['audio']]);
    await inCall(ends, ends === hers ? 'John' : 'مینا').getByRole('button', { name: ends.words.call.hangUp, exact: true }).click();
    await allClosed(hers, his);
    await Promise.all([noRating(hers), noRating(his)]);
  }
});

test('when the caller takes it back while the other is asked for the microphone', async () => {
  const { hers, his } = await twoWhoCall();
  await ring(hers, 'John');
  await ringing(his, 'مینا').waitFor();
  const letGo = await hold(his);
  await answer(his, 'مینا');
  await inCall(hers, 'John').getByRole('button', { name: fa.call.hangUp, exact: true }).click();
  await ringing(his, 'مینا').waitFor({ state: 'detached' });
  await letGo();
  await eventually(async () => expect(await opened(his)).toEqual(['audio']));
  await allClosed(hers, his);
});

test('when the other hangs up while one is asked for the camera', async () => {
  const { hers, his } = await twoWhoCall();
  await ring(hers, 'John');
  await answer(his, 'مینا');
  await Promise.all([hears(hers), hears(his)]);
  const letGo = await hold(hers);
  await inCall(hers, 'John').getByRole('button', { name: fa.call.videoOn, exact: true }).click();
  await inCall(his, 'مینا').getByRole('button', { name: en.call.hangUp, exact: true }).click();
  await inCall(hers, 'John').waitFor({ state: 'detached' });
  await letGo();
  await eventually(async () => expect(await opened(hers)).toEqual(['audio', 'video']));
  await allClosed(hers, his);
});
