import type { Locator } from 'playwright-core';
import { expect, test } from 'vitest';
import { sound } from './support/axe';
import type { Tab } from './support/browser';
import { eventually, somebody } from './support/stage';

/** By the keyboard alone: the button with the clip, and down to what is meant. */
async function attach(tab: Tab, what: string): Promise<void> {
  await tab.page.getByRole('button', { name: tab.words.media.attach, exact: true }).focus();
  await tab.page.keyboard.press('Enter');
  const item = tab.menuItem(what);
  await item.waitFor();
  await eventually(async () => {
    if (await item.evaluate((it) => it !== document.activeElement)) await tab.page.keyboard.press('ArrowDown');
    expect(await item.evaluate((it) => it === document.activeElement)).toBe(true);
  });
  await tab.page.keyboard.press('Enter');
}

const last = ({ history }: Tab): Locator => history.locator('li.message .place').last();

test('a place that the device knows, one that is typed when it may not tell, with the keyboard alone', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en', size: 'phone', theme: 'dark' });
  const chat = await mina.person.direct(john.person);
  const [hers, his] = [mina.device.main, john.device.main];
  await mina.device.context.grantPermissions(['geolocation'], { origin: mina.device.url });
  await mina.device.context.setGeolocation({ latitude: 34.641589, longitude: 50.874608, accuracy: 23.4 });
  await hers.open('John');
  await attach(hers, hers.words.media.location);
  const dialog = hers.dialog(hers.words.adding.placeTitle);
  await dialog.getByText(hers.words.media.within('۲۴')).waitFor();
  await sound(hers);
  await hers.page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  await last(hers).waitFor();

  await his.open('مینا');
  const link = last(his).getByRole('link', { name: his.words.adding.openMap });
  expect(await link.getAttribute('href')).toBe('geo:34.64159,50.87461?q=34.64159,50.87461');
  await last(his).getByText('34.64159, 50.87461').waitFor();
  await sound(his);

  // He has allowed nothing: that is said, and he types what he has copied from a map.
  await attach(his, his.words.media.location);
  const form = his.dialog(his.words.adding.placeTitle);
  await form.getByText(his.words.adding.placeTrouble.denied).waitFor();
  const field = form.getByRole('textbox', { name: his.words.adding.coordinates });
  await field.fill('north of here');
  await form.getByText(his.words.adding.coordinatesWrong).waitFor();
  expect(await form.getByRole('button', { name: his.words.chat.send, exact: true }).isDisabled()).toBe(true);
  await field.fill('۳۲٫۶۵۷۷، ۵۱٫۶۷۷۷');
  await sound(his);
  await field.press('Enter');
  await last(hers).getByText('32.65770, 51.67770').waitFor();
  const { messages } = await mina.person.call<{ messages: { body: Record<string, unknown> }[] }>('history', { chat_id: chat, seq: 1, before: 0, after: 50 });
  expect(messages.filter(({ body }) => body['kind'] === 'location').map(({ body }) => body)).toEqual([
    { kind: 'location', latitude: 34.64159, longitude: 50.87461, accuracy_m: 24 },
    { kind: 'location', latitude: 32.6577, longitude: 51.6777 },
  ]);
});

test('somebody whom one knows, and a number that is typed', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en' });
  const sara = await somebody('سارا کریمی');
  const chat = await mina.person.direct(john.person);
  await mina.person.direct(sara.person);
  const [hers, his] = [mina.device.main, john.device.main];
  await hers.open('John');
  await attach(hers, hers.words.media.contact);
  const dialog = hers.dialog(hers.words.adding.contactTitle);
  await dialog.getByRole('searchbox', { name: hers.words.adding.contactSearch }).fill('كريمي');
  const people = dialog.getByRole('list', { name: hers.words.adding.contactPeople });
  await eventually(async () => expect(await people.getByRole('button').count()).toBe(1));
  await people.getByRole('button', { name: 'سارا' }).press('Enter');
  expect(await dialog.getByRole('textbox', { name: hers.words.adding.contactName }).inputValue()).toBe('سارا کریمی');
  await sound(hers);
  await dialog.getByRole('button', { name: hers.words.chat.send, exact: true }).press('Enter');
  await last(hers).getByText('سارا کریمی').waitFor();

  await his.open('مینا');
  await last(his).getByRole('button', { name: his.words.members.message, exact: true }).waitFor();
  await attach(his, his.words.media.contact);
  const form = his.dialog(his.words.adding.contactTitle);
  await form.getByRole('textbox', { name: his.words.adding.contactName }).fill('Hotel Nur');
  const phone = form.getByRole('textbox', { name: his.words.adding.contactPhone });
  await phone.fill('no number');
  await form.getByText(his.words.adding.contactWrong).waitFor();
  await phone.fill('0098 (25) 3774-۰۰۰۰');
  await sound(his);
  await phone.press('Enter');
  await last(hers).getByText('+982537740000').waitFor();
  await sound(hers);
  const { messages } = await mina.person.call<{ messages: { body: Record<string, unknown> }[] }>('history', { chat_id: chat, seq: 1, before: 0, after: 50 });
  expect(messages.filter(({ body }) => body['kind'] === 'contact').map(({ body }) => body)).toEqual([
    { kind: 'contact', name: 'سارا کریمی', user_id: sara.person.id },
    { kind: 'contact', name: 'Hotel Nur', phone: '+982537740000' },
  ]);
});
