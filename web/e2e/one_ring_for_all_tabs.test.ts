import { expect, test } from 'vitest';
import type { Tab } from './support/browser';
import { answer, caller, hold, inCall, live, ring, ringing, twoWhoCall } from './support/calls';
import { eventually } from './support/stage';

/** Counts the notes that a page plays: each is an oscillator. */
const COUNT_NOTES = `
  window.notes = 0;
  const make = AudioContext.prototype.createOscillator;
  AudioContext.prototype.createOscillator = function () { window.notes += 1; return make.call(this); };`;
const notes = (tab: Tab): Promise<number> => tab.page.evaluate(() => (window as unknown as { notes: number }).notes);

test('of two tabs one rings, and when it is closed the other one does', async () => {
  const mina = await caller('مینا');
  const john = await caller('John', { language: 'en' });
  await mina.person.direct(john.person);
  await john.device.context.addInitScript(COUNT_NOTES);
  const first = john.device.main;
  await first.page.reload();
  await first.row('مینا').waitFor();
  const second = await john.device.tab();
  await second.page.goto(john.device.url);
  await second.row('مینا').waitFor();
  // A browser lets a page sound after a touch.
  for (const tab of [first, second]) await tab.page.mouse.click(5, 5);

  const hers = mina.device.main;
  await ring(hers, 'John');
  for (const tab of [first, second]) await ringing(tab, 'مینا').waitFor();
  await eventually(async () => expect((await notes(first)) + (await notes(second))).toBeGreaterThan(0));
  await new Promise((resolve) => setTimeout(resolve, 3_500));
  const counts = [await notes(first), await notes(second)];
  expect(counts.filter((count) => count > 0), `notes of both tabs: ${counts}`).toHaveLength(1);

  const [loud, quiet] = counts[0] ? [first, second] : [second, first];
  await loud.page.close();
  await eventually(async () => expect(await notes(quiet)).toBeGreaterThan(0));
  await answer(quiet, 'مینا');
  await inCall(quiet, 'مینا').waitFor();
});

test('a call that comes leaves the page and the keyboard to whoever is writing', async () => {
  const { hers, his } = await twoWhoCall();
  await his.open('مینا');
  await his.composer.pressSequentially('half a ');
  await ring(hers, 'John');
  await ringing(his, 'مینا').waitFor();
  await his.page.keyboard.type('sentence');
  expect(await his.composer.inputValue()).toBe('half a sentence');
  await answer(his, 'مینا');
  await inCall(his, 'مینا').waitFor();
});

test('whoever presses call sees it at once, and may think better of it before the microphone is open', async () => {
  const { hers, his } = await twoWhoCall();
  await hers.open('John');
  const letGo = await hold(hers);
  await hers.page.getByRole('button', { name: hers.words.chat.call, exact: true }).click();
  await inCall(hers, 'John').getByText(hers.words.call.outgoing, { exact: true }).waitFor();
  await inCall(hers, 'John').getByRole('button', { name: hers.words.call.hangUp, exact: true }).click();
  await inCall(hers, 'John').waitFor({ state: 'detached' });
  await letGo();
  await eventually(async () => expect(await live(hers)).toEqual([]));
  expect(await ringing(his, 'مینا').count()).toBe(0);
  // And the next call is one like any other.
  await ring(hers, 'John');
  await ringing(his, 'مینا').waitFor();
});
