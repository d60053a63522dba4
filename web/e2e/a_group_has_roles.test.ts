import { expect, test } from 'vitest';
import type { Tab } from './support/browser';
import { eventually, somebody } from './support/stage';
import { WORDS } from './support/words';

const fa = WORDS.fa;

/** Opens the members and one member's menu; gives the words of its items. */
async function offers(tab: Tab, name: string): Promise<string[]> {
  await memberActions(tab, name).click();
  const items = tab.page.getByRole('menuitem');
  await items.first().waitFor();
  const words = await items.allInnerTexts();
  await tab.page.keyboard.press('Escape');
  await items.first().waitFor({ state: 'detached' });
  return words.map((each) => each.trim());
}

const info = (tab: Tab) => tab.info;
const memberActions = (tab: Tab, name: string) => info(tab).getByRole('button', { name: tab.words.members.actionsFor(name) });

async function openInfo(tab: Tab, title: string): Promise<void> {
  await tab.page.locator('section.chat header').getByRole('button', { name: title }).click();
  await info(tab).getByText(tab.words.members.title, { exact: true }).waitFor();
}

async function choose(tab: Tab, name: string, action: string): Promise<void> {
  await memberActions(tab, name).click();
  await tab.menuItem(action).click();
}

test('made, filled, given an admin, emptied again; each is offered what each may do', async () => {
  const owner = await somebody('مینا');
  const admin = await somebody('سارا');
  const member = await somebody('امیر');
  const title = 'سفر نوروز';
  const [hers, his, third] = [owner.device.main, admin.device.main, member.device.main];

  // Made with one member, through the form.
  await hers.list.getByRole('button', { name: fa.list.newChat }).click();
  const form = hers.dialog(fa.list.newChat);
  await form.getByRole('button', { name: fa.create.group, exact: true }).click();
  await form.getByLabel(fa.create.title, { exact: true }).fill(title);
  await form.getByLabel(fa.create.addMember).fill(admin.person.handle);
  await form.getByRole('button', { name: fa.create.add, exact: true }).click();
  await form.getByRole('list', { name: fa.create.members }).getByText('سارا').waitFor();
  await form.getByRole('button', { name: fa.create.make, exact: true }).click();
  await hers.page.getByRole('heading', { name: title }).waitFor();
  await his.open(title);

  // A member adds nobody and removes nobody.
  await openInfo(his, title);
  expect(await info(his).getByLabel(fa.create.addMember).count()).toBe(0);
  expect(await offers(his, 'مینا')).toEqual([fa.members.message]);
  await his.page.keyboard.press('Escape');

  // The owner makes an admin of her; the admin is offered more, at once.
  await openInfo(hers, title);
  expect(await offers(hers, 'سارا')).toEqual([fa.members.message, fa.members.makeAdmin, fa.members.makeOwner, fa.members.restrict, fa.members.remove]);
  await choose(hers, 'سارا', fa.members.makeAdmin);
  await info(hers).getByText(fa.members.admin, { exact: true }).waitFor();
  await openInfo(his, title);
  await info(his).getByLabel(fa.create.addMember).fill(member.person.handle);
  await info(his).getByRole('button', { name: fa.create.add, exact: true }).click();
  await memberActions(his, 'امیر').waitFor();
  expect(await offers(his, 'امیر')).toEqual([fa.members.message, fa.members.restrict, fa.members.remove]);
  expect(await offers(his, 'مینا')).toEqual([fa.members.message]);
  await his.page.keyboard.press('Escape');
  await hers.page.keyboard.press('Escape');
  await hers.history.getByText(fa.service.added('\u2068سارا\u2069', '\u2068امیر\u2069')).waitFor();

  // The new one writes; all read it under the name of who wrote it.
  await third.open(title);
  await third.say('من هم آمدم');
  for (const tab of [hers, his]) await tab.message('من هم آمدم').getByText('امیر', { exact: true }).waitFor();
  // An admin may delete what a member wrote, and may not edit it.
  await his.message('من هم آمدم').locator('.bubble').click({ button: 'right' });
  await his.menuItem(fa.common.delete).waitFor();
  expect(await his.menuItem(fa.common.edit).count()).toBe(0);
  await his.page.keyboard.press('Escape');
  // A member may delete what others wrote for themselves alone.
  await hers.say('خوش آمدی');
  await third.act('خوش آمدی', fa.common.delete);
  await third.page.getByRole('dialog').getByRole('button', { name: fa.deletion.forMe, exact: true }).waitFor();
  expect(await third.page.getByRole('dialog').getByRole('button', { name: fa.deletion.forAll, exact: true }).count()).toBe(0);
  await third.page.keyboard.press('Escape');

  // Removed: the chat goes from the list, and the others read that it happened.
  await openInfo(his, title);
  await choose(his, 'امیر', fa.members.remove);
  await his.dialog(fa.members.removeTitle('\u2068امیر\u2069')).getByRole('button', { name: fa.members.remove, exact: true }).click();
  await eventually(async () => expect(await memberActions(his, 'امیر').count()).toBe(0));
  await third.row(title).waitFor({ state: 'detached' });
  await hers.history.getByText(fa.service.removed('\u2068سارا\u2069', '\u2068امیر\u2069')).waitFor();
});
