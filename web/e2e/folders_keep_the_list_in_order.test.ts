import { expect, test } from 'vitest';
import type { Tab } from './support/browser';
import { sound } from './support/axe';
import { Person } from './support/people';
import { device, eventually, somebody, url } from './support/stage';
import { number, WORDS } from './support/words';

const { fa, en } = WORDS;

const titles = (tab: Tab): Promise<string[]> => tab.list.locator('.chat-rows li .title').allInnerTexts();
const tabOf = (tab: Tab, name: string) => tab.list.getByRole('tab', { name });

async function organise(tab: Tab, title: string, ...path: string[]): Promise<void> {
  await tab.row(title).click({ button: 'right' });
  for (const each of path) await tab.menuItem(each).click();
}

test('folders are made, hold what their rules say, keep what is being read, and are the same on another device', async () => {
  const mina = await somebody('مینا');
  const john = await Person.register(url(), 'John');
  const direct = await mina.person.direct(john);
  const group = await john.create('group', 'سفر', [mina.person]);
  const news = await john.create('channel', 'اخبار', [mina.person]);
  await john.say(direct, 'hello');
  await john.say(group, 'where to?');
  await john.say(news, 'news');
  const tab = mina.device.main;
  await tab.row('اخبار').waitFor();

  await mina.device.visit('#/folders');
  await tab.page.getByRole('button', { name: fa.folders.make }).click();
  const dialog = tab.dialog(fa.folders.make);
  await dialog.getByLabel(fa.folders.name).fill('گروه‌های تازه');
  await dialog.getByRole('button', { name: fa.folders.icon }).click();
  await dialog.getByRole('button', { name: /😀|grinning|خند/ }).first().click();
  await dialog.getByRole('button', { name: fa.folders.kinds.groups }).click();
  await dialog.getByRole('button', { name: fa.folders.kinds.channels }).click();
  await dialog.getByRole('switch', { name: fa.folders.onlyUnread }).check();
  await sound(tab);
  await dialog.getByRole('button', { name: fa.common.save }).click();
  await tabOf(tab, 'گروه‌های تازه').waitFor();
  await tab.page.getByRole('button', { name: fa.folders.make }).click();
  await dialog.getByLabel(fa.folders.name).fill('مهم');
  await dialog.getByRole('button', { name: fa.folders.always }).click();
  const chooser = tab.dialog(fa.folders.always);
  await chooser.getByRole('checkbox').nth(0).waitFor();
  await chooser.locator('label').filter({ hasText: 'John' }).click();
  await chooser.getByRole('button', { name: fa.folders.done }).click();
  await dialog.getByRole('button', { name: fa.common.save }).click();
  await tabOf(tab, 'مهم').waitFor();
  await sound(tab);

  // The tab says how many chats wait; opened and read there, a chat stays until one goes to another tab.
  await eventually(async () => expect(await tabOf(tab, 'گروه‌های تازه').locator('.badge').innerText()).toBe(number.fa(2)));
  await tabOf(tab, 'گروه‌های تازه').click();
  await eventually(async () => expect(await titles(tab)).toEqual(['اخبار', 'سفر']));
  await tab.open('سفر');
  await eventually(async () => expect(await tabOf(tab, 'گروه‌های تازه').locator('.badge').innerText()).toBe(number.fa(1)));
  expect(await titles(tab)).toEqual(['اخبار', 'سفر']);
  await tabOf(tab, 'مهم').click();
  await eventually(async () => expect(await titles(tab)).toEqual(['John']));
  await tabOf(tab, 'گروه‌های تازه').click();
  await eventually(async () => expect(await titles(tab)).toEqual(['اخبار']));

  // By keyboard: the arrow to the end of the line, in Persian to the left.
  await tabOf(tab, 'گروه‌های تازه').focus();
  await tab.page.keyboard.press('ArrowLeft');
  expect(await tabOf(tab, 'مهم').getAttribute('aria-selected')).toBe('true');
  await tab.page.keyboard.press('Alt+Shift+ArrowDown');
  expect(await tabOf(tab, fa.list.all).getAttribute('aria-selected')).toBe('true');

  // Out of a folder by hand, whatever its rules say.
  await organise(tab, 'اخبار', fa.folders.addTo, fa.folders.takeOut('😀 گروه‌های تازه'));
  await tabOf(tab, 'گروه‌های تازه').click();
  await tab.list.getByText(fa.list.emptyFolder).waitFor();

  const phone = await device({ size: 'phone', language: 'en' });
  await phone.signIn(mina.person.handle);
  await tabOf(phone.main, 'مهم').click();
  await eventually(async () => expect(await titles(phone.main)).toEqual(['John']));
  await sound(phone.main);
  await phone.visit('#/folders');
  await phone.page.getByRole('button', { name: en.folders.upOf('مهم') }).click();
  await eventually(async () => expect((await tab.list.getByRole('tab').allInnerTexts()).map((it) => it.split('\n')[0])).toEqual([fa.list.all, 'مهم', '😀']));
  await phone.page.getByRole('button', { name: en.folders.removeOf('مهم') }).click();
  await phone.page.getByRole('button', { name: en.common.delete, exact: true }).click();
  await eventually(async () => expect(await tabOf(tab, 'مهم').count()).toBe(0));
});

test('chats are pinned in an order, muted for a time and put away, on all devices', async () => {
  const mina = await somebody('مینا');
  const people = await Promise.all(['Ali', 'Behrooz', 'Sara'].map((name) => Person.register(url(), name)));
  const chats: number[] = [];
  for (const each of people) {
    const chat = await mina.person.direct(each);
    await each.say(chat, `from ${each.name}`);
    chats.push(chat);
  }
  const tab = mina.device.main;
  const phone = await device({ size: 'phone', language: 'en' });
  await phone.signIn(mina.person.handle);
  await eventually(async () => expect(await titles(tab)).toEqual(['Sara', 'Behrooz', 'Ali']));

  await organise(tab, 'Ali', fa.folders.pin);
  await eventually(async () => expect(await titles(tab)).toEqual(['Ali', 'Sara', 'Behrooz']));
  await organise(tab, 'Behrooz', fa.folders.pin);
  await eventually(async () => expect(await titles(tab)).toEqual(['Behrooz', 'Ali', 'Sara']));
  await organise(tab, 'Behrooz', fa.folders.down);
  for (const each of [tab, phone.main]) await eventually(async () => expect(await titles(each)).toEqual(['Ali', 'Behrooz', 'Sara']));

  // Muted, it counts apart: neither the title of the page nor the colour calls.
  await eventually(async () => expect(await tab.page.title()).toBe(`(${number.fa(3)}) ${fa.app}`));
  await organise(tab, 'Sara', fa.folders.mute, fa.folders.spans.hour);
  await tab.row('Sara').getByRole('img', { name: fa.list.muted }).waitFor();
  await eventually(async () => expect(await tab.page.title()).toBe(`(${number.fa(2)}) ${fa.app}`));
  await phone.main.row('Sara').getByRole('img', { name: en.list.muted }).waitFor();
  const { items } = await mina.person.call<{ items: { kind: string; value?: { until?: string } }[] }>('user_difference', { from: 0 });
  const until = Date.parse(items.find(({ kind }) => kind === 'mute')?.value?.until ?? '');
  expect(Math.abs(until - Date.now() - 3_600_000)).toBeLessThan(60_000);

  // Put away, it stays away when something is written there; taken back at once, it is as it was.
  await organise(tab, 'Ali', fa.folders.archive);
  await eventually(async () => expect(await titles(tab)).toEqual(['Behrooz', 'Sara']));
  await people[0]?.say(chats[0] ?? 0, 'are you there?');
  await tab.list.getByRole('link', { name: fa.list.archive }).getByRole('img', { name: fa.list.unreadChats(1) }).waitFor();
  expect(await titles(tab)).toEqual(['Behrooz', 'Sara']);
  await tab.page.getByRole('button', { name: fa.folders.undo }).click();
  for (const each of [tab, phone.main]) await eventually(async () => expect(await titles(each)).toEqual(['Ali', 'Behrooz', 'Sara']));

  // On the phone, by a long press.
  await phone.main.row('Sara').dispatchEvent('touchstart', { touches: [] });
  await phone.main.menuItem(en.folders.archive).click();
  await phone.main.list.getByRole('link', { name: en.list.archive }).click();
  const page = phone.page.getByRole('region', { name: en.list.archive });
  await page.getByText('Sara', { exact: true }).waitFor();
  await sound(phone.main);
  await page.getByRole('link').click({ button: 'right' });
  await phone.main.menuItem(en.folders.unarchive).click();
  await page.getByText(en.folders.archiveEmpty).waitFor();
});
