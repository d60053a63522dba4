import { expect, test } from 'vitest';
import type { Tab } from './support/browser';
import { Person } from './support/people';
import { eventually, somebody, url } from './support/stage';
import { WORDS } from './support/words';

const { fa, en } = WORDS;
const member = (tab: Tab, name: string) => tab.info.getByRole('button', { name: tab.words.members.actionsFor(name) });

async function openInfo(tab: Tab, title: string): Promise<void> {
  await tab.page.locator('section.chat header').getByRole('button', { name: title }).click();
  await tab.info.getByText(tab.words.members.title, { exact: true }).waitFor();
}

async function choose(tab: Tab, name: string, action: string): Promise<void> {
  await member(tab, name).click();
  await tab.menuItem(action).click();
}

/** The words of the menu of a member. */
async function offers(tab: Tab, name: string): Promise<string[]> {
  await member(tab, name).click();
  const items = tab.page.getByRole('menuitem');
  await items.first().waitFor();
  const words = await items.allInnerTexts();
  await tab.page.keyboard.press('Escape');
  await items.first().waitFor({ state: 'detached' });
  return words.map((each) => each.trim());
}

test('somebody is restricted until a time: they see at once why they cannot write, and can again when it is over', async () => {
  const owner = await somebody('مینا');
  const loud = await somebody('John', { language: 'en', size: 'phone' });
  const title = 'کتاب‌خوان‌ها';
  const group = await owner.person.create('group', title, [loud.person]);
  const [hers, his] = [owner.device.main, loud.device.main];
  await hers.open(title);
  await his.open(title);
  await his.say('LOUD WORDS, all day long');
  await hers.message('LOUD WORDS, all day long').waitFor();

  // By keyboard alone: the menu, the dialog, what is taken and for how long.
  await openInfo(hers, title);
  await member(hers, 'John').focus();
  await hers.page.keyboard.press('Enter');
  await hers.menuItem(fa.members.restrict).press('Enter');
  const dialog = hers.dialog(fa.members.restrictTitle('\u2068John\u2069'));
  const write = dialog.getByRole('switch', { name: fa.members.rights.write });
  expect(await write.isChecked()).toBe(false);
  expect(await dialog.getByRole('switch', { name: fa.members.rights.react }).isChecked()).toBe(true);
  await dialog.getByRole('radio', { name: fa.members.spans.day }).press('ArrowUp');
  expect(await dialog.getByRole('radio', { name: fa.members.spans.hour }).isChecked()).toBe(true);
  await dialog.getByRole('button', { name: fa.common.save, exact: true }).press('Enter');
  await dialog.waitFor({ state: 'detached' });
  await hers.info.getByText(fa.members.restrictedUntil('').trim()).waitFor();

  // He is told why, and is not offered what he may not do; he may still react.
  const why = his.page.getByText(en.chat.restrictedUntil('').replace(/\.$/, '').trim());
  await why.waitFor();
  expect(await his.composer.count()).toBe(0);
  await his.message('LOUD WORDS, all day long').locator('.bubble').click({ button: 'right' });
  await his.menuItem(en.chat.copyText).waitFor();
  for (const forbidden of [en.chat.reply, en.common.edit]) expect(await his.menuItem(forbidden).count()).toBe(0);
  await his.page.getByRole('menuitem', { name: en.chat.reactWith('👍') }).or(his.page.getByRole('button', { name: en.chat.reactWith('👍') })).first().click();
  await hers.message('LOUD WORDS, all day long').getByRole('button', { name: fa.chat.reactions('👍', 1) }).waitFor();

  // Lifted: at once.
  await choose(hers, 'John', fa.members.lift);
  await his.composer.waitFor();
  await his.say('sorry');
  await hers.message('sorry').waitFor();

  // A short one ends by itself; nobody is told so, the device knows it.
  const until = new Date(Date.now() + 4_000).toISOString();
  await owner.person.call('restrict_member', { chat_id: group, user_id: loud.person.id, denied: ['write'], until });
  await why.waitFor();
  await his.composer.waitFor();
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(until));
  await his.say('thank you');
  await hers.message('thank you').waitFor();
});

test('what everybody may is one choice: in a quiet group only admins write, and everybody is told so', async () => {
  const owner = await somebody('Mina', { language: 'en' });
  const reader = await somebody('سارا');
  await owner.person.create('group', 'Announcements', [reader.person]);
  const [hers, theirs] = [owner.device.main, reader.device.main];
  await hers.open('Announcements');
  await theirs.open('Announcements');
  await theirs.say('سلام');
  await openInfo(hers, 'Announcements');
  await hers.info.getByRole('button', { name: en.members.everybodysRights }).click();
  const dialog = hers.dialog(en.members.everybodysRights);
  await dialog.getByRole('switch', { name: en.members.rights.write }).click();
  await dialog.getByRole('switch', { name: en.members.rights.react }).click();
  await dialog.getByRole('button', { name: en.common.save, exact: true }).click();
  await theirs.page.getByText(fa.chat.quiet, { exact: true }).waitFor();
  expect(await theirs.composer.count()).toBe(0);
  // Reactions stand there, and are no buttons that do nothing.
  await hers.act('سلام', en.chat.reactWith('👍'));
  await eventually(async () => expect(await theirs.message('سلام').getByRole('button', { name: fa.chat.reactions('👍', 1) }).isDisabled()).toBe(true));
  await hers.say('Good morning');
  await theirs.message('Good morning').waitFor();
});

test('whoever is removed stands among the removed, cannot come back, and can when they are let', async () => {
  const owner = await somebody('مینا');
  const gone = await Person.register(url(), 'رضا');
  const title = 'باغبانی';
  const name = `garden_${owner.person.handle}`.slice(0, 32);
  await owner.person.create('group', title, [gone], name);
  const tab = owner.device.main;
  await tab.open(title);
  await openInfo(tab, title);
  await choose(tab, 'رضا', fa.members.remove);
  await tab.dialog(fa.members.removeTitle('\u2068رضا\u2069')).getByRole('button', { name: fa.members.remove, exact: true }).click();
  await eventually(async () => expect(await member(tab, 'رضا').count()).toBe(0));
  await expect(gone.call('join', { handle: name })).rejects.toThrow(/forbidden/);

  await tab.info.getByRole('button', { name: fa.members.banned }).click();
  const banned = tab.dialog(fa.members.banned);
  await banned.getByText('رضا', { exact: true }).waitFor();
  await banned.getByRole('button', { name: fa.members.unban }).click();
  await banned.getByText(fa.members.noBanned).waitFor();
  await tab.page.keyboard.press('Escape');
  await gone.call('join', { handle: name });
  await member(tab, 'رضا').waitFor();
});

test('an admin with one right has that one and no other', async () => {
  const owner = await somebody('مینا');
  const admin = await somebody('سارا');
  const third = await Person.register(url(), 'امیر');
  const title = 'همسایه‌ها';
  const group = await owner.person.create('group', title, [admin.person, third]);
  await third.say(group, 'آگهی');
  await owner.person.call('set_role', { chat_id: group, user_id: admin.person.id, role: 'admin' });
  const [hers, his] = [owner.device.main, admin.device.main];
  await hers.open(title);
  await his.open(title);
  await openInfo(his, title);
  await eventually(async () => expect(await offers(his, 'امیر')).toEqual([fa.members.message, fa.members.restrict, fa.members.remove]));
  await his.info.getByLabel(fa.create.addMember).waitFor();

  await openInfo(hers, title);
  await choose(hers, 'سارا', fa.members.adminRights);
  const dialog = hers.dialog(fa.members.adminRightsOf('\u2068سارا\u2069'));
  for (const right of ['add', 'remove', 'write', 'react', 'list', 'change_info', 'pin'] as const) await dialog.getByRole('switch', { name: fa.members.rights[right], exact: true }).click();
  expect(await dialog.getByRole('switch', { checked: true }).count()).toBe(1);
  await dialog.getByRole('button', { name: fa.common.save, exact: true }).click();
  await dialog.waitFor({ state: 'detached' });

  // She sees it at once: nothing is left of what an admin did, but for deleting what others wrote.
  await eventually(async () => expect(await his.info.getByLabel(fa.create.addMember).count()).toBe(0));
  expect(await offers(his, 'امیر')).toEqual([fa.members.message]);
  expect(await his.info.getByRole('button', { name: fa.members.banned }).count()).toBe(0);
  await his.act('آگهی', fa.common.delete);
  await his.page.getByRole('button', { name: fa.deletion.forAll, exact: true }).click();
  await hers.message('آگهی').waitFor({ state: 'detached' });
  await hers.history.getByText(fa.chat.deleted).waitFor();
  await expect(admin.person.call('remove_member', { chat_id: group, user_id: third.id })).rejects.toThrow(/forbidden/);
});

test('a channel says how many are in it, and a post how many have seen it', async () => {
  const owner = await somebody('سردبیر');
  const readers = [];
  for (const name of ['سارا', 'امیر', 'رضا']) readers.push(await Person.register(url(), name));
  const title = 'خبرهای عصر';
  const channel = await owner.person.create('channel', title, readers);
  const seq = await owner.person.say(channel, 'خبر نخست');
  const tab = owner.device.main;
  await tab.open(title);
  await tab.standing.getByText(fa.presence.members(4)).waitFor();
  // Whoever posted has seen it, too.
  for (const reader of readers) await reader.read(channel, seq);
  await tab.message('خبر نخست').getByText(fa.chat.views(4)).waitFor({ state: 'attached' });
  const late = await Person.register(url(), 'دیرآمده');
  await owner.person.call('resolve', { handle: late.handle });
  await owner.person.call('add_members', { chat_id: channel, user_ids: [late.id] });
  await tab.standing.getByText(fa.presence.members(5)).waitFor();
});
