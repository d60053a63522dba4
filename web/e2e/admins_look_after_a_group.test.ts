import { mkdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sound } from './support/axe';
import type { Tab } from './support/browser';
import { eventually, somebody } from './support/stage';
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

test('members wait between two messages and see for how long; who was removed is told why; admins see who did what', async () => {
  const owner = await somebody('مینا');
  const quick = await somebody('Omid', { language: 'en', size: 'phone' });
  const title = 'سفر نوروز';
  await owner.person.create('group', title, [quick.person]);
  const [hers, his] = [owner.device.main, quick.device.main];
  await hers.open(title);
  await hers.page.locator('section.chat header').getByRole('button', { name: title }).click();
  await hers.info.getByRole('button', { name: fa.members.slow }).click();
  const slow = hers.dialog(fa.members.slow);
  await slow.getByText(fa.members.seconds(10), { exact: true }).click();
  await picture(hers, 'slow-fa');
  await sound(hers);
  await slow.getByRole('button', { name: fa.common.save, exact: true }).click();
  await slow.waitFor({ state: 'detached' });
  await hers.info.getByRole('button', { name: fa.members.slow }).getByText(fa.members.seconds(10)).waitFor();

  await his.open(title);
  await his.say('one');
  await hers.message('one').waitFor();
  const timer = quick.device.page.getByRole('timer');
  await timer.waitFor();
  await his.composer.fill('two');
  await picture(his, 'slow-en-phone');
  await sound(his);
  expect(await quick.device.page.getByRole('button', { name: en.chat.send, exact: true }).count()).toBe(0);
  await timer.waitFor({ state: 'detached' });
  await quick.device.page.getByRole('button', { name: en.chat.send, exact: true }).click();
  await hers.message('two').waitFor();
  // An admin waits for nothing.
  for (const text of ['سه', 'چهار']) await hers.say(text);
  await his.message('چهار').waitFor();

  await hers.info.getByRole('button', { name: fa.members.actionsFor('Omid') }).click();
  await hers.menuItem(fa.members.remove).click();
  const remove = hers.dialog(fa.members.removeTitle(isolated('Omid')));
  await remove.getByLabel(fa.members.reason).fill('تبلیغ فرستاد');
  await sound(hers);
  await remove.getByRole('button', { name: fa.members.remove, exact: true }).click();
  const told = quick.device.page.getByRole('dialog', { name: en.members.removed.title(isolated(title)) });
  await told.getByText(en.members.removed.reason(isolated('تبلیغ فرستاد'))).waitFor();
  await picture(his, 'removed-en-phone');
  await told.getByRole('button', { name: en.members.removed.understood }).click();
  // Once seen it is taken back, and comes no more.
  await eventually(async () => {
    const { items } = await quick.person.call<{ items?: { kind: string; value?: unknown }[] }>('user_difference', { from: 0 });
    expect(items?.filter((item) => item.kind === 'removed' && item.value) ?? []).toEqual([]);
  });
  await quick.device.visit();
  await his.list.waitFor();
  expect(await told.count()).toBe(0);

  await hers.info.getByRole('button', { name: fa.members.banned }).click();
  await hers.dialog(fa.members.banned).getByText(fa.members.removedFor(isolated('مینا'), isolated('تبلیغ فرستاد'))).waitFor();
  await hers.page.keyboard.press('Escape');
  await hers.info.getByRole('button', { name: fa.log.title }).click();
  const log = hers.dialog(fa.log.title);
  await log.getByText(fa.log.removedFor(isolated('Omid'), isolated('تبلیغ فرستاد'))).waitFor();
  await log.getByText(fa.log.slow(fa.members.seconds(10))).waitFor();
  await picture(hers, 'log-fa');
  await sound(hers);
});
