import { expect, test } from 'vitest';
import { Person } from './support/people';
import { eventually, somebody, url } from './support/stage';
import { WORDS } from './support/words';

const { fa } = WORDS;

test('what is written in one tab stands in the other, and what was sent there is gone from here', async () => {
  const mina = await somebody('مینا');
  const john = await Person.register(url(), 'John');
  const chat = await mina.person.direct(john);
  await john.say(chat, 'a question');
  const first = mina.device.main;
  await first.open('John');
  const second = await mina.device.tab();
  await second.page.goto(mina.device.url);
  await second.open('John');

  await first.act('a question', fa.chat.reply);
  await first.composer.pressSequentially('نیمی از یک پاسخ');
  await eventually(async () => expect(await second.composer.inputValue()).toBe('نیمی از یک پاسخ'));
  await second.page.getByText(fa.chat.replyingTo('John')).waitFor();
  await second.composer.press('Enter');
  await first.message('نیمی از یک پاسخ').waitFor();
  await eventually(async () => expect(await first.composer.inputValue()).toBe(''));
  expect(await first.page.getByText(fa.chat.replyingTo('John')).count()).toBe(0);
  // Nothing is there to be sent a second time.
  await first.composer.press('Enter');
  await first.say('دیگری');
  await second.message('دیگری').waitFor();
  expect((await second.texts()).filter((text) => text.includes('نیمی'))).toHaveLength(1);
});

test('an edit that was begun is there again after another chat and after a reload, and gives the draft back', async () => {
  const mina = await somebody('مینا');
  const john = await Person.register(url(), 'John');
  const sara = await Person.register(url(), 'Sara');
  const chat = await mina.person.direct(john);
  await mina.person.direct(sara);
  await mina.person.say(chat, 'سلامم به همه');
  const tab = mina.device.main;
  await tab.open('John');
  await tab.composer.fill('پیش‌نویس خودم');
  await tab.act('سلامم به همه', fa.common.edit);
  await eventually(async () => expect(await tab.composer.inputValue()).toBe('سلامم به همه'));
  await tab.composer.fill('سلام به همه');

  await tab.open('Sara');
  expect(await tab.composer.inputValue()).toBe('');
  await tab.open('John');
  await tab.page.getByText(fa.chat.editing, { exact: true }).waitFor();
  expect(await tab.composer.inputValue()).toBe('سلام به همه');
  await tab.page.reload();
  await eventually(async () => expect(await tab.composer.inputValue()).toBe('سلام به همه'));

  await tab.composer.press('Enter');
  await tab.message('سلام به همه').waitFor();
  await eventually(async () => expect(await tab.composer.inputValue()).toBe('پیش‌نویس خودم'));
  expect(await tab.message('سلامم').count()).toBe(0);
});

test('the keys that were pressed last before the page went are there when it comes back', async () => {
  const mina = await somebody('مینا');
  const john = await Person.register(url(), 'John');
  await mina.person.direct(john);
  const tab = mina.device.main;
  await tab.open('John');
  await tab.composer.pressSequentially('تا آخرین حرف');
  await tab.page.reload();
  await eventually(async () => expect(await tab.composer.inputValue()).toBe('تا آخرین حرف'));
});

test('whoever is taken out of a group in the middle of a sentence keeps the sentence', async () => {
  const mina = await somebody('مینا');
  const john = await Person.register(url(), 'John');
  const group = await john.create('group', 'سفر', [mina.person]);
  const tab = mina.device.main;
  await tab.open('سفر');
  await tab.composer.pressSequentially('هنوز تمام نشده');
  await john.call('remove_member', { chat_id: group, user_id: mina.person.id });
  await tab.page.getByText(fa.errors.chat_not_found).waitFor();
  await tab.page.getByText('هنوز تمام نشده', { exact: true }).waitFor();
});
