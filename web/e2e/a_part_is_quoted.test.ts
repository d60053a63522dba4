import { expect, test } from 'vitest';
import { sound } from './support/axe';
import { eventually, somebody } from './support/stage';

test('an answer is about some words, which are chosen by keys or with a finger and shine where they stand', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en', size: 'phone' });
  const chat = await mina.person.direct(john.person);
  await john.person.say(chat, 'the bus leaves at nine, the train at ten');
  for (let n = 0; n < 40; n++) await john.person.say(chat, `line ${n}`);
  const hers = mina.device.main;
  await hers.open('John');
  await hers.message('the bus leaves').focus();
  await hers.page.keyboard.press('q');
  const dialog = hers.dialog(hers.words.chat.quote);
  const field = dialog.getByRole('textbox', { name: hers.words.quotes.text });
  await field.waitFor();
  const done = dialog.getByRole('button', { name: hers.words.quotes.done, exact: true });
  expect(await done.isDisabled()).toBe(true);
  // From the end backwards over the last words, with the blank before them.
  await hers.page.keyboard.press('End');
  for (let n = 0; n < ' the train at ten'.length; n++) await hers.page.keyboard.press('Shift+ArrowLeft');
  await eventually(async () => expect(await done.isEnabled()).toBe(true));
  await sound(hers);
  await done.click();
  await hers.page.locator('.about').getByText('the train at ten', { exact: true }).waitFor();
  await hers.say('با قطار می‌رویم');
  const his = john.device.main;
  await his.open('مینا');
  const bubble = his.message('با قطار می‌رویم');
  await bubble.getByRole('button', { name: /the train at ten/ }).click();
  await his.message('the bus leaves').waitFor();
  await eventually(async () => expect(await his.page.evaluate(() => [...(CSS.highlights.get('quoted') ?? [])].map(String))).toEqual(['the train at ten']));
  // What was taken back is not said any more.
  await his.act('the bus leaves', his.words.common.delete);
  await his.page.getByRole('dialog').getByRole('button', { name: his.words.deletion.forAll, exact: true }).click();
  const answer = hers.message('با قطار می‌رویم');
  await answer.getByRole('button', { name: hers.words.chat.deleted }).waitFor();
});
