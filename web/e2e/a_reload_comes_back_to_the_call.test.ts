import { expect, test } from 'vitest';
import { answer, hears, inCall, live, ring, twoWhoCall } from './support/calls';
import { eventually } from './support/stage';
import { WORDS } from './support/words';

const { fa, en } = WORDS;

test('whoever loads the page anew in a call is offered to come back, and both hear each other again', async () => {
  const { hers, his } = await twoWhoCall();
  await ring(hers, 'John');
  await answer(his, 'مینا');
  await Promise.all([hears(hers), hears(his)]);
  // First the one who called, then the one who was called: one makes the offers, the other the answers.
  for (const [tab, name] of [[hers, 'John'], [his, 'مینا']] as const) {
    await tab.page.reload();
    const bar = tab.page.getByRole('region', { name: tab.words.call.title });
    await bar.getByText(tab.words.call.leftOpen(`\u2068${name}\u2069`)).waitFor();
    // Nothing is heard before the person says so.
    expect(await live(tab)).toEqual([]);
    await bar.getByRole('button', { name: tab.words.call.expand, exact: true }).click();
    await inCall(tab, name).waitFor();
    await Promise.all([hears(hers), hears(his)]);
  }
  // The four emoji are made anew, and alike.
  const emoji = async (tab: typeof hers, name: string): Promise<string> =>
    (await inCall(tab, name).getByRole('button', { name: tab.words.call.key }).getAttribute('aria-label'))!.replace(tab.words.call.key, '');
  await eventually(async () => expect(await emoji(hers, 'John')).toBe(await emoji(his, 'مینا')));
});

test('whoever comes back too late is told how the call ended', async () => {
  const { hers, his } = await twoWhoCall();
  await ring(hers, 'John');
  await answer(his, 'مینا');
  await Promise.all([hears(hers), hears(his)]);
  // He hangs up while her page is away.
  await hers.page.goto('about:blank');
  await inCall(his, 'مینا').getByRole('button', { name: en.call.hangUp, exact: true }).click();
  await inCall(his, 'مینا').waitFor({ state: 'detached' });
  await hers.page.goBack();
  await hers.page.getByText(fa.call.ended.hung_up).first().waitFor();
  await hers.page.getByRole('region', { name: fa.call.title }).waitFor({ state: 'detached' });
  expect(await live(hers)).toEqual([]);
});

test('whoever does not want to come back ends it for both; and so does whoever closes the page', async () => {
  const { hers, his } = await twoWhoCall();
  await ring(hers, 'John');
  await answer(his, 'مینا');
  await Promise.all([hears(hers), hears(his)]);
  await hers.page.reload();
  const bar = hers.page.getByRole('region', { name: fa.call.title });
  await bar.getByRole('button', { name: fa.call.hangUp, exact: true }).click();
  await inCall(his, 'مینا').waitFor({ state: 'detached' });
  await bar.waitFor({ state: 'detached' });
  await his.dialog(en.call.rateTitle).getByRole('button', { name: en.call.rateSkip, exact: true }).click();

  await ring(hers, 'John');
  await answer(his, 'مینا');
  await Promise.all([hears(hers), hears(his)]);
  const closed = Date.now();
  await hers.page.close();
  await inCall(his, 'مینا').waitFor({ state: 'detached' });
  // At once, and not after the grace of a device that is away.
  expect(Date.now() - closed).toBeLessThan(10_000);
});
