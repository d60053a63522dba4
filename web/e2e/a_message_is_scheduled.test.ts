import { expect, test } from 'vitest';
import { sound } from './support/axe';
import { Person } from './support/people';
import { device, eventually, somebody, url } from './support/stage';
import { WORDS } from './support/words';

const { fa, en } = WORDS;

test('a message is scheduled, is seen and changed on another device, and goes out when it is told to', async () => {
  const mina = await somebody('مینا');
  const john = await Person.register(url(), 'John');
  const chat = await mina.person.direct(john);
  await john.say(chat, 'hello');
  const tab = mina.device.main;
  await tab.open('John');
  await tab.composer.fill('سلام **فردا**');
  await tab.page.getByRole('button', { name: fa.chat.send, exact: true }).click({ button: 'right' });
  await tab.menuItem(fa.later.schedule).click();
  const dialog = tab.dialog(fa.later.title);
  await dialog.getByRole('button', { name: fa.later.tomorrow }).waitFor();
  await sound(tab);
  // A day of the Jalali calendar, and a time.
  await dialog.locator('.day').click();
  const calendar = tab.dialog(fa.later.day);
  await calendar.getByRole('button', { name: fa.time.nextMonth }).click();
  await calendar.locator('.day:enabled').nth(9).click();
  await dialog.getByLabel(fa.later.time).fill('09:30');
  await dialog.getByRole('button', { name: /۹:۳۰/ }).click();
  await eventually(async () => expect(await tab.composer.inputValue()).toBe(''));
  const waiting = tab.page.getByRole('button', { name: fa.chat.scheduled(1) });
  await waiting.waitFor();
  expect(await tab.message('فردا').count()).toBe(0);
  const { messages } = await mina.person.call<{ messages: { at: string; message: { body: { text: string; entities?: unknown[] } } }[] }>('get_scheduled', { chat_id: chat });
  expect(messages[0]?.message.body).toMatchObject({ text: 'سلام فردا', entities: [{ offset: 5, length: 4, type: 'bold' }] });
  expect(new Date(messages[0]?.at ?? '').getTime()).toBeGreaterThan(Date.now() + 86_400_000);
  // 9:30 in Tehran.
  expect(messages[0]?.at.slice(11, 16)).toBe('06:00');

  const phone = await device({ size: 'phone', language: 'en' });
  await phone.signIn(mina.person.handle);
  await phone.main.open('John');
  await phone.page.getByRole('button', { name: en.chat.scheduled(1) }).click();
  const list = phone.main.dialog(en.later.waiting);
  await list.getByText('سلام فردا').waitFor();
  await sound(phone.main);
  await list.getByRole('button', { name: en.common.edit }).click();
  await list.getByRole('textbox').fill('سلام، همین حالا');
  await list.getByRole('button', { name: en.common.save }).click();
  await list.getByText('سلام، همین حالا').waitFor();
  await list.getByRole('button', { name: en.later.sendNow }).click();
  await list.getByText(en.later.none).waitFor();
  for (const each of [tab, phone.main]) await each.message('سلام، همین حالا').waitFor();
  await eventually(async () => expect(await waiting.count()).toBe(0));
});

test('a message waits until the other one is online, and one that is refused says why', async () => {
  const mina = await somebody('مینا');
  const john = await Person.register(url(), 'John');
  const chat = await mina.person.direct(john);
  await john.say(chat, 'hello');
  const tab = mina.device.main;
  await tab.open('John');
  await tab.composer.fill('صبح بخیر');
  await tab.page.getByRole('button', { name: fa.chat.send, exact: true }).click({ button: 'right' });
  await tab.menuItem(fa.later.schedule).click();
  await tab.dialog(fa.later.title).getByRole('button', { name: fa.later.whenOnline }).click();
  await tab.page.getByRole('button', { name: fa.chat.scheduled(1) }).waitFor();
  const his = await device({ language: 'en' });
  await his.signIn(john.handle);
  await tab.message('صبح بخیر').waitFor();

  const news = await john.create('channel', 'اخبار', [mina.person]);
  await mina.person.call('schedule', { message: { chat_id: news, client_id: crypto.randomUUID(), body: { kind: 'text', text: 'x' } }, at: new Date().toISOString() });
  await eventually(async () => {
    const { messages } = await mina.person.call<{ messages: { failed?: string }[] }>('get_scheduled', { chat_id: news });
    expect(messages[0]?.failed).toBe('forbidden');
  });
});
