import { expect, test } from 'vitest';
import { Person } from './support/people';
import { device, eventually, somebody, url } from './support/stage';
import { WORDS } from './support/words';

const { fa, en } = WORDS;

test('what is begun on one device is gone on with on another, and gone from both when it is sent', async () => {
  const mina = await somebody('مینا');
  const john = await Person.register(url(), 'John');
  const chat = await mina.person.direct(john);
  await john.say(chat, 'a question');
  const tab = mina.device.main;
  const phone = await device({ size: 'phone', language: 'en' });
  await phone.signIn(mina.person.handle);
  await tab.open('John');
  await tab.act('a question', fa.chat.reply);
  await tab.composer.pressSequentially('نیمی از **پاسخ**');

  // In the list of the other device, and in the chat there, with what it answers.
  await phone.main.row('John').getByText(en.list.draft).waitFor();
  await phone.main.open('John');
  await eventually(async () => expect(await phone.main.composer.inputValue()).toBe('نیمی از **پاسخ**'));
  await phone.page.getByText(en.chat.replyingTo('John')).waitFor();
  await phone.main.composer.fill('نیمی از **پاسخ** و نیمهٔ دیگر');
  await eventually(async () => expect(await tab.composer.inputValue()).toBe('نیمی از **پاسخ** و نیمهٔ دیگر'));

  await phone.page.getByRole('button', { name: en.chat.send, exact: true }).click();
  await tab.message('نیمی از پاسخ و نیمهٔ دیگر').waitFor();
  await eventually(async () => expect(await tab.composer.inputValue()).toBe(''));
  const { items } = await mina.person.call<{ items: { kind: string; value?: unknown }[] }>('user_difference', { from: 0 });
  expect(items.filter(({ kind, value }) => kind === 'draft' && value !== undefined)).toEqual([]);
});

test('what was begun without a network is told when it is back, and nothing older takes its place', async () => {
  const mina = await somebody('مینا');
  const john = await Person.register(url(), 'John');
  const chat = await mina.person.direct(john);
  await john.say(chat, 'hello');
  const tab = mina.device.main;
  await tab.open('John');
  await mina.device.context.setOffline(true);
  await tab.composer.pressSequentially('بی‌شبکه');
  await mina.person.call('set_items', { items: [{ kind: 'draft', chat_id: chat, value: { text: { text: 'از دستگاهی دیگر' } } }] });
  await mina.device.context.setOffline(false);
  await eventually(async () => {
    const { items } = await mina.person.call<{ items: { kind: string; value?: { text: { text: string } } }[] }>('user_difference', { from: 0 });
    expect(items.find(({ kind }) => kind === 'draft')?.value?.text.text).toBe('بی‌شبکه');
  });
  expect(await tab.composer.inputValue()).toBe('بی‌شبکه');
});

test('the chat with oneself is opened from the list', async () => {
  const mina = await somebody('مینا');
  const tab = mina.device.main;
  await tab.page.getByRole('button', { name: fa.list.newChat }).first().click();
  await tab.dialog(fa.list.newChat).getByRole('button', { name: fa.list.saved }).click();
  await tab.page.getByRole('heading', { name: fa.list.saved }).first().waitFor();
  await tab.say('شمارهٔ کلید ۱۲');
  await tab.row(fa.list.saved).getByText('شمارهٔ کلید ۱۲').waitFor();
});
