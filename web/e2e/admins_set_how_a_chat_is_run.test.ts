import { mkdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sound } from './support/axe';
import type { Tab } from './support/browser';
import { somebody } from './support/stage';
import { WORDS } from './support/words';

const { fa, en } = WORDS;
const PICTURES = process.env.KEEP_PICTURES;

async function picture({ page }: Tab, name: string): Promise<void> {
  if (!PICTURES) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.waitForTimeout(300);
  await page.screenshot({ path: `${PICTURES}/${name}.png` });
}

const isolated = (text: string): string => `\u2068${text}\u2069`;

async function info(tab: Tab, title: string): Promise<void> {
  await tab.page.locator('section.chat header').getByRole('button', { name: title }).click();
}

test('nothing is forwarded from a group that keeps what is said, and its messages delete themselves', async () => {
  const owner = await somebody('مینا');
  const member = await somebody('Omid', { language: 'en', size: 'phone' });
  const title = 'سفر نوروز';
  const id = await owner.person.create('group', title, [member.person]);
  const [hers, his] = [owner.device.main, member.device.main];
  await hers.open(title);
  await hers.say('پیش از آن');
  await his.open(title);
  await his.message('پیش از آن').waitFor();

  await info(hers, title);
  await hers.info.getByRole('button', { name: fa.chatSettings.title }).click();
  const settings = hers.dialog(fa.chatSettings.title);
  await settings.getByRole('switch', { name: fa.chatSettings.keeps }).click();
  await settings.getByText(fa.time.spans.weeks(1), { exact: true }).click();
  await his.history.getByText(en.service.deletes(isolated('مینا'), en.time.spans.weeks(1))).waitFor();
  await settings.getByText(fa.chatSettings.custom, { exact: true }).click();
  await picture(hers, 'chat-settings-fa');
  await sound(hers);
  await hers.page.keyboard.press('Escape');
  await settings.waitFor({ state: 'detached' });
  await hers.info.getByRole('button', { name: fa.log.title }).click();
  await hers.dialog(fa.log.title).getByText(fa.log.keeps(true)).waitFor();
  await hers.page.keyboard.press('Escape');

  // Whoever is in it sees it, and is told why something is not there.
  await his.history.getByText(en.service.forwarding(isolated('مینا'), false)).waitFor();
  await his.page.locator('section.chat header').getByRole('img', { name: en.chat.deletesAfter(en.time.spans.weeks(1)) }).waitFor();
  await his.message('پیش از آن').locator('.bubble').click({ button: 'right' });
  const menu = his.page.getByRole('menu');
  await menu.getByRole('menuitem', { name: en.chat.keeps }).waitFor();
  expect(await menu.getByRole('menuitem', { name: en.chat.forward, exact: true }).count()).toBe(0);
  expect(await menu.getByRole('menuitem', { name: en.chat.copyText, exact: true }).count()).toBe(0);
  await picture(his, 'keeps-menu-en-phone');
  await menu.getByRole('menuitem', { name: en.chat.keeps }).click();
  await his.page.getByText(en.errors.no_forwarding).waitFor();
  await sound(his);

  // A short time, set by the server's own command, so that nobody waits for a day.
  await owner.person.call('set_chat_settings', { chat_id: id, delete_after: 5 });
  await his.say('gone in a moment');
  await hers.message('gone in a moment').waitFor();
  await hers.message('gone in a moment').waitFor({ state: 'detached' });
  await his.message('gone in a moment').waitFor({ state: 'detached' });
  await his.message('پیش از آن').waitFor();

  // Whoever comes later sees only what follows, and is told so.
  await owner.person.call('set_chat_settings', { chat_id: id, hidden_history: true });
  await hers.history.getByText(fa.service.hides(isolated(fa.common.you), true, true)).waitFor();
  const late = await somebody('Layla', { language: 'ar', size: 'phone' });
  await owner.person.finds(late.person);
  await owner.person.call('add_members', { chat_id: id, user_ids: [late.person.id] });
  await hers.say('خوش آمدی');
  const theirs = late.device.main;
  await theirs.open(title);
  // It deletes itself soon, as the group is set.
  await theirs.history.getByText(WORDS.ar.chat.hiddenEarlier).waitFor();
  expect(await theirs.message('پیش از آن').count()).toBe(0);
  await picture(theirs, 'newcomer-ar-phone');
  await sound(theirs);
});

test('a message is sent without a sound by the menu of what sends', async () => {
  const [mina, omid] = [await somebody('مینا'), await somebody('Omid', { language: 'en', size: 'phone' })];
  await mina.person.direct(omid.person);
  const [hers, his] = [mina.device.main, omid.device.main];
  await hers.open('Omid');
  await hers.composer.fill('دیر وقت است');
  await hers.page.getByRole('button', { name: fa.chat.send, exact: true }).click({ button: 'right' });
  await picture(hers, 'silently-fa');
  await hers.menuItem(fa.later.silently).click();
  await his.open('مینا');
  await his.message('دیر وقت است').getByRole('img', { name: en.chat.silent }).waitFor();
  await hers.message('دیر وقت است').getByRole('img', { name: fa.chat.silent }).waitFor();
  await picture(his, 'silent-en-phone');
  await sound(his);
});

test('posts of a channel are signed while it is set', async () => {
  const owner = await somebody('مینا');
  const reader = await somebody('Omid', { language: 'en', size: 'phone' });
  const title = 'خبرها';
  await owner.person.create('channel', title, [reader.person]);
  const [hers, his] = [owner.device.main, reader.device.main];
  await hers.open(title);
  await hers.say('بی‌نام');
  await info(hers, title);
  await hers.info.getByRole('button', { name: fa.chatSettings.title }).click();
  const settings = hers.dialog(fa.chatSettings.title);
  await settings.getByRole('switch', { name: fa.chatSettings.signed }).click();
  await picture(hers, 'channel-settings-fa');
  await hers.page.keyboard.press('Escape');
  await hers.say('با نام');
  await his.open(title);
  await his.message('با نام').locator('.author').getByText('مینا').waitFor();
  expect(await his.message('بی‌نام').locator('.author').count()).toBe(0);
  await picture(his, 'signed-en-phone');
  await sound(his);
});
