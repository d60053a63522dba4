import { mkdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sound } from './support/axe';
import { handle, PASSWORD } from './support/people';
import { device, eventually, somebody } from './support/stage';
import { WORDS } from './support/words';

const { fa, en } = WORDS;
const PICTURES = process.env.KEEP_PICTURES;

async function picture(page: import('playwright-core').Page, name: string): Promise<void> {
  if (!PICTURES) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.waitForTimeout(300);
  await page.screenshot({ path: `${PICTURES}/${name}.png` });
}

test('a link is made, opened before there is an account, and leads in after it; who came is kept; taken back it leads nowhere', async () => {
  const owner = await somebody('مینا');
  const title = 'سفر نوروز';
  await owner.person.create('group', title, []);
  const hers = owner.device.main;
  await hers.open(title);
  await hers.page.locator('section.chat header').getByRole('button', { name: title }).click();
  await hers.info.getByRole('button', { name: fa.invites.title }).click();
  const dialog = hers.dialog(fa.invites.title);
  await dialog.getByText(fa.invites.none).waitFor();
  await dialog.getByRole('button', { name: fa.invites.make, exact: true }).click();
  const form = hers.dialog(fa.invites.make);
  await form.getByLabel(fa.invites.name).fill('برای خانواده');
  await form.getByLabel(fa.invites.uses).fill('۰');
  expect(await form.getByRole('button', { name: fa.invites.make, exact: true }).isDisabled()).toBe(true);
  await form.getByLabel(fa.invites.uses).fill('۲');
  await form.getByText(fa.invites.spans.week, { exact: true }).click();
  await picture(hers.page, 'form-fa');
  await sound(hers);
  await form.getByRole('button', { name: fa.invites.make, exact: true }).click();
  await dialog.getByText('برای خانواده').waitFor();
  await dialog.getByRole('button', { name: `${fa.invites.copy}: برای خانواده` }).click();
  const address = await hers.page.evaluate(() => navigator.clipboard.readText());
  expect(address).toMatch(/^http:\/\/[^/]+\/#\/join\/\d+-[\w-]{22}$/);
  await picture(hers.page, 'links-fa');
  await sound(hers);

  // Somebody who has no account yet.
  const his = await device({ size: 'phone' });
  await his.visit(new URL(address).hash);
  await his.page.getByText(fa.auth.invited).waitFor();
  for (const [field, value] of [['#name', 'امیر'], ['#handle', handle('amir')], ['#password', PASSWORD]] as const) {
    await his.page.locator(field).fill(value);
    await his.page.locator(field).press('Enter');
  }
  await his.page.getByRole('heading', { name: title }).waitFor();
  await his.page.getByText(fa.join.count(1)).waitFor();
  await picture(his.page, 'preview-fa-phone');
  await sound(his.main);
  await his.page.getByRole('button', { name: fa.join.join, exact: true }).click();
  await his.main.say('سلام، آمدم');
  await hers.message('سلام، آمدم').waitFor();

  await dialog.getByRole('button', { name: fa.invites.actionsFor('\u2068برای خانواده\u2069') }).click();
  await hers.menuItem(fa.invites.who).click();
  await hers.dialog(fa.invites.who).getByText('امیر').waitFor();
  await hers.page.keyboard.press('Escape');
  await dialog.getByRole('button', { name: fa.invites.actionsFor('\u2068برای خانواده\u2069') }).click();
  await hers.menuItem(fa.invites.revoke).click();
  await hers.dialog(fa.invites.revoke).getByRole('button', { name: fa.invites.revoke, exact: true }).click();
  await dialog.getByText(fa.invites.revoked).waitFor();

  const late = await somebody('Late', { language: 'en' });
  await late.device.visit(new URL(address).hash);
  await late.device.page.getByRole('heading', { name: en.join.gone }).waitFor();
  await picture(late.device.page, 'gone-en');
  await sound(late.device.main);
});

test('who must ask is let in, or told that they are not', async () => {
  const owner = await somebody('مینا');
  const title = 'کتاب‌خوان‌ها';
  const chatId = await owner.person.create('channel', title, []);
  const invite = await owner.person.call<{ token: string }>('set_invite', {
    chat_id: chatId,
    invite_id: crypto.randomUUID(),
    approval: true,
  });
  const [first, second] = [await somebody('سارا'), await somebody('Omid', { language: 'en', size: 'phone' })];
  for (const { device: each } of [first, second]) {
    await each.visit(`#/join/${invite.token}`);
    await each.page.getByRole('button', { name: each.words.join.ask, exact: true }).click();
    await each.page.getByText(each.words.join.asked).waitFor();
  }
  await picture(second.device.page, 'asked-en-phone');
  const hers = owner.device.main;
  await hers.open(title);
  await hers.page.locator('section.chat header').getByRole('button', { name: title }).click();
  await hers.info.getByRole('button', { name: fa.invites.title }).click();
  const dialog = hers.dialog(fa.invites.title);
  const accept = dialog.getByRole('button', { name: fa.invites.acceptWho('\u2068سارا\u2069'), exact: true });
  await accept.waitFor();
  await picture(hers.page, 'requests-fa');
  await sound(hers);
  // One of them is away when they are answered.
  await second.device.page.goto('about:blank');
  await accept.click();
  await dialog.getByRole('button', { name: fa.invites.declineWho('\u2068Omid\u2069'), exact: true }).click();
  await dialog.getByRole('list', { name: fa.invites.requests }).waitFor({ state: 'detached' });
  await first.device.main.row(title).waitFor();
  await first.device.page.getByText(fa.join.accepted(`\u2068${title}\u2069`)).waitFor();
  await first.device.page.getByRole('button', { name: fa.join.open, exact: true }).first().click();
  await first.device.page.getByRole('heading', { name: title, exact: true }).first().waitFor();
  await second.device.visit();
  await second.device.page.getByText(en.join.declined(`\u2068${title}\u2069`)).waitFor();
  await eventually(async () => {
    const { items } = await second.person.call<{ items?: { kind: string; value?: unknown }[] }>('user_difference', { from: 0 });
    expect(items?.filter((item) => item.kind === 'join_request' && item.value) ?? []).toEqual([]);
  });
  expect(await second.device.main.row(title).count()).toBe(0);
});
