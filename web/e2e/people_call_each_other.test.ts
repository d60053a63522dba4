import { expect, inject, test } from 'vitest';
import { answer, hears, inCall, onlyThroughRelays, ring, ringing, twoWhoCall, KEEP_PEERS } from './support/calls';
import { sql } from './support/sql';
import { device, eventually } from './support/stage';
import { lasted, WORDS } from './support/words';

const { fa, en } = WORDS;

test('two people hear each other, see the same four emoji, and write while they talk', async () => {
  const { mina, hers, his } = await twoWhoCall();
  await ring(hers, 'John');
  await answer(his, 'مینا');
  await Promise.all([hears(hers), hears(his)]);

  const emoji = async (tab: typeof hers, name: string): Promise<string[]> => {
    const button = inCall(tab, name).getByRole('button', { name: tab.words.call.key });
    await button.waitFor();
    return (await button.getAttribute('aria-label'))!.replace(`${tab.words.call.key}: `, '').split(' ');
  };
  const [atHers, atHis] = [await emoji(hers, 'John'), await emoji(his, 'مینا')];
  expect(atHers).toHaveLength(4);
  expect(atHis).toEqual(atHers);

  // Muted here, said there; and back.
  await inCall(hers, 'John').getByRole('button', { name: fa.call.mute, exact: true }).click();
  await inCall(his, 'مینا').getByText(en.call.otherMuted).waitFor();
  await inCall(hers, 'John').getByRole('button', { name: fa.call.unmute, exact: true }).click();
  await inCall(his, 'مینا').getByText(en.call.otherMuted).waitFor({ state: 'detached' });

  // One writes while one talks: the call is a bar then.
  await inCall(hers, 'John').getByRole('button', { name: fa.call.minimise, exact: true }).click();
  await hers.say('همین حالا می‌فرستم');
  await hers.page.getByRole('button', { name: fa.call.expand }).click();
  await inCall(hers, 'John').waitFor();
  await hears(his);

  await inCall(his, 'مینا').getByRole('button', { name: en.call.hangUp, exact: true }).click();
  // Neither wants to say how it was.
  for (const tab of [hers, his]) await tab.dialog(tab.words.call.rateTitle).getByRole('button', { name: tab.words.call.rateSkip, exact: true }).click();

  // The call stands in the chat and in the log, with how long it lasted.
  await hers.history.getByText(lasted).waitFor();
  await hers.page.goto(`${mina.device.url}/#/calls`);
  const log = hers.page.getByRole('region', { name: fa.call.log });
  await log.getByText('John', { exact: true }).waitFor();
  await log.getByText(fa.call.direction.out).waitFor();
});

test('asked afterwards how the call was; what is said is kept', async () => {
  const { mina, hers, his } = await twoWhoCall();
  await ring(hers, 'John');
  await answer(his, 'مینا');
  await Promise.all([hears(hers), hears(his)]);
  await inCall(his, 'مینا').getByRole('button', { name: en.call.hangUp, exact: true }).click();
  const question = hers.dialog(fa.call.rateTitle);
  await question.getByRole('radio', { name: fa.call.rateStars(4), exact: true }).check({ force: true });
  await question.getByRole('button', { name: fa.call.reasons.noise, exact: true }).click();
  await question.getByRole('button', { name: fa.call.rateSend, exact: true }).click();
  await hers.page.getByText(fa.call.thanks, { exact: true }).waitFor();
  await eventually(() => {
    const kept = sql(inject('folder'), `select stars from call_ratings where user_id = ${mina.person.id}`);
    expect(kept).toEqual(['4']);
  });
});

test('it rings on two devices: answered on one, the other falls silent', async () => {
  const { john, hers, his } = await twoWhoCall();
  const phone = await device({ size: 'phone', language: 'en', before: KEEP_PEERS });
  await phone.signIn(john.person.handle);
  const pocket = phone.main;
  await ring(hers, 'John');
  await Promise.all([ringing(his, 'مینا').waitFor(), ringing(pocket, 'مینا').waitFor()]);
  await answer(pocket, 'مینا');
  await ringing(his, 'مینا').waitFor({ state: 'detached' });
  await his.page.getByText(en.call.ended.answered_elsewhere).waitFor();
  await Promise.all([hears(hers), hears(pocket)]);
  expect(await inCall(his, 'مینا').count()).toBe(0);
});

test('with "relays only" both sides talk through a relay, and neither learns the address of the other', async () => {
  const { mina, hers, his } = await twoWhoCall();
  await onlyThroughRelays(mina.device);
  await ring(hers, 'John');
  await answer(his, 'مینا');
  const [atHers, atHis] = await Promise.all([hears(hers), hears(his)]);
  expect([...atHers.path, ...atHis.path]).toEqual(['relay', 'relay', 'relay', 'relay']);
  await inCall(hers, 'John').getByText(fa.call.relayed).waitFor();
});

test('declined, busy, and taken back: each end is said, and leaves its line', async () => {
  const { hers, his, john, mina } = await twoWhoCall();
  await ring(hers, 'John');
  await ringing(his, 'مینا').getByRole('button', { name: en.call.decline, exact: true }).click();
  await hers.page.getByText(fa.call.ended.declined).first().waitFor();
  await hers.history.getByText(fa.service.callCame(fa.call.outcome.declined)).waitFor();

  // Taken back before he answered: he has missed it.
  await inCall(hers, 'John').waitFor({ state: 'detached' });
  await ring(hers, 'John');
  await ringing(his, 'مینا').waitFor();
  await inCall(hers, 'John').getByRole('button', { name: fa.call.hangUp, exact: true }).click();
  await ringing(his, 'مینا').waitFor({ state: 'detached' });
  await his.list.getByRole('img', { name: en.call.missed(1) }).waitFor();
  await john.device.visit('#/calls');
  const log = his.page.getByRole('region', { name: en.call.log });
  await log.getByText(en.call.direction.missed).first().waitFor();
  // Looked at, counted no more.
  await his.list.getByRole('img', { name: en.call.missed(1) }).waitFor({ state: 'detached' });

  // He talks to somebody else: she hears that he is busy.
  const sara = await device({ before: KEEP_PEERS });
  const other = await (await import('./support/people')).Person.register(mina.person.url, 'سارا');
  await other.direct(john.person);
  await sara.signIn(other.handle);
  await ring(sara.main, 'John');
  await answer(his, 'سارا');
  await hears(sara.main);
  await hers.page.getByRole('button', { name: fa.chat.call, exact: true }).click();
  await hers.page.getByText(fa.call.ended.busy).first().waitFor();
  await hears(his);
});

test('a call that comes while one writes takes no key for an answer', async () => {
  const { hers, his } = await twoWhoCall();
  await his.open('مینا');
  await his.composer.fill('I was just writ');
  await hers.open('John');
  await hers.page.getByRole('button', { name: fa.chat.call, exact: true }).click();
  await ringing(his, 'مینا').waitFor();
  // It is a card in the corner: what he writes goes where he writes, and Enter sends that.
  for (const key of ['i', 'n', 'g', 'Enter', 'N', 'o', 'w']) await his.page.keyboard.press(key);
  await his.message('I was just writing').waitFor();
  await ringing(his, 'مینا').getByRole('button', { name: en.call.answer, exact: true }).waitFor();
  await inCall(hers, 'John').getByText(fa.call.ringing, { exact: true }).waitFor();
  // The keyboard gets to the buttons, and answers there when it is meant to.
  await ringing(his, 'مینا').getByRole('button', { name: en.call.answer, exact: true }).press('Enter');
  await Promise.all([hears(hers), hears(his)]);
  await inCall(his, 'مینا').getByRole('button', { name: en.call.hangUp, exact: true }).click();
  await his.dialog(en.call.rateTitle).getByRole('button', { name: en.call.rateSkip, exact: true }).click();
  expect(await his.composer.inputValue()).toBe('Now');
});
