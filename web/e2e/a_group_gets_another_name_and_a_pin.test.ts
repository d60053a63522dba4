import { expect, test } from 'vitest';
import { somebody } from './support/stage';
import { WORDS } from './support/words';

const { fa } = WORDS;

test('the owner gives another name, says what it is about and pins a message; a member sees all three and can change none', async () => {
  const [owner, member] = [await somebody('مینا'), await somebody('سارا')];
  const [hers, theirs] = [owner.device.main, member.device.main];
  await hers.list.getByRole('button', { name: fa.list.newChat }).click();
  const form = hers.dialog(fa.list.newChat);
  await form.getByRole('button', { name: fa.create.group, exact: true }).click();
  await form.getByLabel(fa.create.title, { exact: true }).fill('سفر نوروز');
  await form.getByLabel(fa.create.addMember).fill(member.person.handle);
  await form.getByRole('button', { name: fa.create.add, exact: true }).click();
  await form.getByRole('list', { name: fa.create.members }).getByText('سارا').waitFor();
  await form.getByRole('button', { name: fa.create.make, exact: true }).click();
  await hers.page.getByRole('heading', { name: 'سفر نوروز' }).waitFor();
  await theirs.open('سفر نوروز');

  const head = (tab: typeof hers, title: string) => tab.page.locator('section.chat header').getByRole('button', { name: title });
  await head(hers, 'سفر نوروز').click();
  await hers.info.getByRole('button', { name: fa.members.editInfo }).click();
  const dialog = hers.dialog(fa.members.editInfo);
  await dialog.getByLabel(fa.create.title, { exact: true }).fill('سفر تابستان');
  await dialog.getByLabel(fa.members.description, { exact: true }).fill('قرار: ساعت هشت');
  await dialog.getByRole('button', { name: fa.common.save }).click();
  await hers.info.getByText('قرار: ساعت هشت').waitFor();
  await hers.info.getByRole('button', { name: fa.common.close }).click();

  await head(theirs, 'سفر تابستان').click();
  await theirs.info.getByText('قرار: ساعت هشت').waitFor();
  expect(await theirs.info.getByRole('button', { name: fa.members.editInfo }).count()).toBe(0);
  await theirs.info.getByRole('button', { name: fa.common.close }).click();

  await hers.say('نشانی: میدان آزادی');
  await hers.act('نشانی: میدان آزادی', fa.chat.pin);
  const bar = (tab: typeof hers) => tab.page.getByRole('group', { name: fa.members.pinned });
  for (const tab of [hers, theirs]) await bar(tab).getByText('نشانی: میدان آزادی').waitFor();
  expect(await bar(theirs).getByRole('button', { name: fa.chat.unpin }).count()).toBe(0);
  await theirs.message('نشانی: میدان آزادی').locator('.content').click({ button: 'right' });
  await theirs.menuItem(fa.chat.reply).waitFor();
  expect(await theirs.menuItem(fa.chat.unpin).count()).toBe(0);
  await theirs.page.keyboard.press('Escape');

  await bar(hers).getByRole('button', { name: fa.chat.unpin }).click();
  for (const tab of [hers, theirs]) await bar(tab).waitFor({ state: 'detached' });
});
