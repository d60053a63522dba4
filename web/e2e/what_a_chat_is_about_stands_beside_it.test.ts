import { randomUUID } from 'node:crypto';
import { expect, inject, test } from 'vitest';
import { Person } from './support/people';
import { sql } from './support/sql';
import { device, eventually, somebody, url } from './support/stage';
import { WORDS } from './support/words';

const { fa } = WORDS;

test('on a wide screen it stands beside the chat, goes along to the next one, is there after a reload, and closes by Esc in it', async () => {
  const { person: mina, device: hers } = await somebody('مینا');
  const [sara, amir] = [await Person.register(url(), 'سارا'), await Person.register(url(), 'امیر')];
  const chat = await sara.direct(mina);
  await sara.say(chat, 'سلام');
  await amir.direct(mina);
  const tab = hers.main;
  await tab.open('سارا');
  const who = hers.page.locator('section.chat header .who');
  expect(await who.getAttribute('aria-expanded')).toBe('false');
  await who.click();
  await tab.info.getByText(`@${sara.handle}`).waitFor();
  expect(await who.getAttribute('aria-expanded')).toBe('true');
  // The chat goes on beside it.
  await tab.say('در کنارش می‌نویسم');
  await tab.mark('در کنارش می‌نویسم', 'sent').waitFor();
  const [chatBox, paneBox] = [await hers.page.locator('section.chat').boundingBox(), await tab.info.boundingBox()];
  expect(paneBox!.x + paneBox!.width).toBeLessThanOrEqual(chatBox!.x + 1);

  await tab.open('امیر');
  await tab.info.getByText(`@${amir.handle}`).waitFor();
  await hers.page.reload();
  await tab.info.getByText(`@${amir.handle}`).waitFor();
  await tab.info.getByRole('button', { name: fa.chat.jumpToDate }).focus();
  await hers.page.keyboard.press('Escape');
  await tab.info.waitFor({ state: 'detached' });
  // The chat is still open, and the keyboard is at what opens it again.
  await hers.page.getByRole('heading', { name: 'امیر', exact: true }).waitFor();
  expect(await who.evaluate((element) => element === document.activeElement)).toBe(true);

  // Too narrow for it by now: it lies over the chat, and only when it is asked for.
  await who.click();
  await tab.info.waitFor();
  await hers.page.setViewportSize({ width: 900, height: 800 });
  await tab.info.waitFor({ state: 'detached' });
  await who.click();
  await tab.dialog(fa.chat.info).waitFor();
});

test('a day two years back is a few presses away, by months and years, and by keys', async () => {
  const [mina, sara] = [await Person.register(url(), 'مینا'), await Person.register(url(), 'سارا')];
  const chat = await sara.direct(mina);
  for (let each = 1; each <= 3; each++) await sara.say(chat, `پیام ${each} ${randomUUID()}`);
  const folder = inject('folder');
  sql(folder, `update chats set created_at = now() - interval '730 days' where id = ${chat}`);
  sql(folder, `update messages set sent_at = now() - interval '700 days' where chat_id = ${chat} and seq <= 2`);
  const hers = await device();
  await hers.signIn(mina.handle);
  const tab = hers.main;
  await tab.open('سارا');
  await hers.page.getByRole('button', { name: fa.common.more, exact: true }).click();
  await tab.menuItem(fa.chat.jumpToDate).click();
  const dialog = tab.dialog(fa.chat.jumpToDate);
  await dialog.getByRole('button', { name: fa.time.chooseMonth }).click();
  await dialog.getByRole('button', { name: fa.time.chooseYear }).click();
  const years = dialog.getByRole('group', { name: fa.time.chooseYear }).getByRole('button');
  expect(await years.count()).toBeGreaterThanOrEqual(2);
  await years.first().click();
  const months = dialog.getByRole('group', { name: fa.time.chooseMonth }).getByRole('button');
  expect(await months.count()).toBe(12);
  // Only months that the chat has lived in.
  await months.and(hers.page.locator(':enabled')).first().click();
  const days = dialog.getByRole('table').getByRole('button');
  await eventually(async () => expect(await days.count()).toBeGreaterThan(28));
  // The day of the keyboard is one that can be chosen, and a month further by key is one as well.
  const focused = (): Promise<string | null> => hers.page.evaluate(() => (document.activeElement?.matches('.day:enabled') ? document.activeElement.getAttribute('aria-label') : null));
  await eventually(async () => expect(await focused()).not.toBeNull());
  const before = await focused();
  await hers.page.keyboard.press('PageDown');
  await eventually(async () => expect([null, before]).not.toContain(await focused()));
  await hers.page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
});
