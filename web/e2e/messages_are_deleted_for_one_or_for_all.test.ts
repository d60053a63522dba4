import { expect, test } from 'vitest';
import { sound } from './support/axe';
import { device, eventually, somebody } from './support/stage';

test('what somebody deletes for themselves is gone on all their devices, and stays with others', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en', size: 'phone' });
  const chat = await mina.person.direct(john.person);
  for (const text of ['one', 'two', 'three', 'four']) await john.person.say(chat, text);
  const hers = mina.device.main;
  await hers.open('John');
  await hers.message('one').focus();
  await hers.page.keyboard.press('Delete');
  const dialog = hers.dialog(hers.words.chat.deleteQuestion(1));
  await dialog.waitFor();
  await sound(hers);
  expect(await dialog.getByRole('button', { name: hers.words.deletion.forAll, exact: true }).count()).toBe(0);
  await dialog.getByRole('button', { name: hers.words.deletion.forMe, exact: true }).press('Enter');
  await eventually(async () => expect(await hers.texts()).toEqual(['two', 'three', 'four']));
  // Several, the last one among them: the list shows the one before.
  await hers.message('three').focus();
  for (const key of ['x', 'ArrowDown', 'x']) await hers.page.keyboard.press(key);
  await hers.page.locator('.chat-bar').getByRole('button', { name: hers.words.common.delete, exact: true }).click();
  await hers.dialog(hers.words.chat.deleteQuestion(2)).getByRole('button', { name: hers.words.deletion.forMe, exact: true }).click();
  await eventually(async () => expect(await hers.texts()).toEqual(['two']));
  await hers.row('John').getByText('two', { exact: true }).waitFor();
  // A device that comes later knows it too.
  const second = await device();
  await second.signIn(mina.person.handle);
  await second.main.open('John');
  await eventually(async () => expect(await second.main.texts()).toEqual(['two']));
  const his = john.device.main;
  await his.open('مینا');
  await eventually(async () => expect(await his.texts()).toEqual(['one', 'two', 'three', 'four']));
  // His own he may take back from both, several at once.
  for (const text of ['two', 'four']) await his.message(text).waitFor();
  await his.act('two', his.words.chat.select);
  await his.message('four').click();
  await his.page.locator('.chat-bar').getByRole('button', { name: his.words.common.delete, exact: true }).click();
  const asks = his.dialog(his.words.chat.deleteQuestion(2));
  await asks.waitFor();
  await sound(his);
  await asks.getByRole('button', { name: his.words.deletion.forAll, exact: true }).click();
  await eventually(async () => expect((await hers.texts()).map((text) => text.trim())).toEqual([hers.words.chat.deleted]));
  await eventually(async () => expect((await his.texts()).map((text) => text.trim())).toEqual(['one', his.words.chat.deleted, 'three', his.words.chat.deleted]));
});
