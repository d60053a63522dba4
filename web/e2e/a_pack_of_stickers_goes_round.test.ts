import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Locator } from 'playwright-core';
import { expect, test } from 'vitest';
import type { Tab } from './support/browser';
import { picture } from './support/files';
import { eventually, somebody } from './support/stage';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const CATS = [
  picture('one.png', 400, 400, [[250, 180, 40], [220, 90, 60]]),
  picture('two.png', 900, 600, [[60, 160, 200], [40, 60, 140]]),
  picture('three.png', 300, 500, [[120, 200, 120], [30, 110, 90]]),
];

async function axe({ page }: Tab): Promise<unknown[]> {
  await page.evaluate(AXE);
  await page.evaluate(() => Promise.all(document.getAnimations().filter((it) => it.effect?.getComputedTiming().endTime !== Infinity).map((it) => it.finished.catch(() => {}))));
  const { violations } = (await page.evaluate(() =>
    (window as unknown as { axe: { run(options: unknown): Promise<unknown> } }).axe.run({ runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] }, resultTypes: ['violations'] }),
  )) as AxeResults;
  return violations.map(({ id, nodes }) => ({ id, nodes: nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`) }));
}

/** Opens the panel, and in it the stickers. */
async function panel({ page, words }: Tab): Promise<Locator> {
  const button = page.getByRole('button', { name: words.chat.emoji, exact: true });
  if ((await button.getAttribute('aria-expanded')) !== 'true') await button.click();
  await page.getByRole('radio', { name: words.stickers.title, exact: true }).check({ force: true });
  const list = page.getByRole('tablist', { name: words.stickers.title });
  await list.waitFor();
  return list;
}

const sticker = (where: Locator, tab: Tab, at: number): Locator => where.getByRole('button', { name: tab.words.stickers.sticker(at, ''), exact: false });
const inChat = (tab: Tab): Locator => tab.history.locator('li.message .sticker button');
/** The stickers of the chat that have really been loaded. */
const loaded = (tab: Tab): Promise<number> => tab.history.locator('.sticker img').evaluateAll((all) => all.filter((it) => (it as HTMLImageElement).complete && (it as HTMLImageElement).naturalWidth > 0).length);

test('one makes a pack of pictures and sends from it; the other adds it and sends on; favourites and recent outlive a reload', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en', size: 'phone' });
  await mina.person.direct(john.person);
  const [hers, his] = [mina.device.main, john.device.main];
  await hers.open('John');
  await his.open('مینا');

  // She makes a pack of three pictures at once.
  await panel(hers);
  await hers.page.getByRole('tabpanel').getByRole('button', { name: hers.words.stickers.make }).click();
  const editor = hers.dialog(hers.words.stickers.make);
  await editor.getByLabel(hers.words.stickers.name).fill('گربه‌ها');
  const [chooser] = await Promise.all([hers.page.waitForEvent('filechooser'), editor.getByRole('button', { name: hers.words.stickers.choose }).click()]);
  await chooser.setFiles(CATS);
  await eventually(async () => expect(await editor.getByRole('listitem').count()).toBe(3));
  await editor.getByRole('button', { name: hers.words.stickers.emojiOf(1, '🙂'), exact: true }).click();
  await editor.getByRole('searchbox').fill('گربه');
  await editor.locator('.picking .cell').first().click();
  await editor.locator('.picking').waitFor({ state: 'detached' });
  await editor.getByRole('button', { name: hers.words.stickers.later(1), exact: true }).click();
  expect(await axe(hers)).toEqual([]);
  await editor.getByRole('button', { name: hers.words.common.save, exact: true }).click();
  await editor.waitFor({ state: 'detached' });

  // And sends one of it, by the keyboard.
  const list = await panel(hers);
  await list.getByRole('tab', { name: 'گربه‌ها', exact: true }).click();
  const shown = hers.page.getByRole('tabpanel', { name: 'گربه‌ها' });
  await sticker(shown, hers, 1).focus();
  await hers.page.keyboard.press('ArrowLeft');
  expect(await axe(hers)).toEqual([]);
  await hers.page.keyboard.press('Enter');
  await inChat(his).waitFor();
  await eventually(async () => expect([await loaded(hers), await loaded(his)]).toEqual([1, 1]));
  const box = await inChat(his).boundingBox();
  expect(box && Math.abs(box.width - box.height)).toBeLessThan(2);

  // He taps it, marks it, adds the pack and sends another one.
  await inChat(his).click();
  const pack = his.dialog('گربه‌ها');
  await pack.getByRole('group', { name: his.words.stickers.count(3) }).waitFor();
  await pack.getByRole('button', { name: his.words.stickers.favourite, exact: true }).click();
  await pack.getByRole('button', { name: his.words.stickers.unfavourite, exact: true }).waitFor();
  expect(await axe(his)).toEqual([]);
  expect(await pack.getByRole('button', { name: his.words.stickers.edit, exact: true }).count()).toBe(0);
  await pack.getByRole('button', { name: his.words.stickers.add, exact: true }).click();
  await pack.getByRole('button', { name: his.words.stickers.remove, exact: true }).waitFor();
  await pack.getByRole('button', { name: his.words.common.close, exact: true }).click();
  const his_list = await panel(his);
  await his_list.getByRole('tab', { name: 'گربه‌ها', exact: true }).click();
  await sticker(his.page.getByRole('tabpanel', { name: 'گربه‌ها' }), his, 3).click();
  await eventually(async () => expect(await inChat(hers).count()).toBe(2));
  await eventually(async () => expect([await loaded(hers), await loaded(his)]).toEqual([2, 2]));
  expect(await axe(his)).toEqual([]);

  // After a reload both are at hand: what was sent, and what was marked.
  await eventually(async () => expect((await john.person.call<{ items?: { kind: string }[] }>('user_difference', { from: 0 })).items?.filter((it) => it.kind === 'recent_sticker').length).toBe(1));
  await his.page.reload();
  await his.history.locator('ol.opened').waitFor();
  const again = await panel(his);
  for (const name of [his.words.stickers.recent, his.words.stickers.favourites]) {
    await again.getByRole('tab', { name, exact: true }).click();
    await eventually(async () => expect(await his.page.getByRole('tabpanel', { name }).locator('.cells button').count()).toBe(1));
  }
  await eventually(async () => expect(await loaded(his)).toBe(2));
});

test('a pack is changed and deleted by whoever made it; what was sent stays', async () => {
  const mina = await somebody('مینا', { language: 'en' });
  const john = await somebody('John', { language: 'en' });
  const chat = await mina.person.direct(john.person);
  const hers = mina.device.main;
  const pack_id = crypto.randomUUID();
  const files = await Promise.all(CATS.map((it) => mina.person.upload('sticker', it)));
  await mina.person.call('set_sticker_pack', { pack_id, title: 'Cats', stickers: files.map((file_id) => ({ file_id, emoji: '😺' })) });
  await mina.person.give(chat, { kind: 'sticker', file_id: files[0], pack_id });
  await hers.open('John');
  await inChat(hers).click();
  await hers.dialog('Cats').getByRole('button', { name: hers.words.stickers.edit, exact: true }).click();
  const editor = hers.dialog(hers.words.stickers.edit);
  await editor.getByRole('button', { name: hers.words.stickers.removeOne(1), exact: true }).click();
  await editor.getByLabel(hers.words.stickers.name).fill('My cats');
  await editor.getByRole('button', { name: hers.words.common.save, exact: true }).click();
  await editor.waitFor({ state: 'detached' });
  await inChat(hers).click();
  await hers.dialog('My cats').getByRole('group', { name: hers.words.stickers.count(2) }).waitFor();
  await hers.dialog('My cats').getByRole('button', { name: hers.words.stickers.edit, exact: true }).click();
  await editor.getByRole('button', { name: hers.words.stickers.delete, exact: true }).click();
  await editor.getByRole('button', { name: hers.words.stickers.deleteSure, exact: true }).click();
  await editor.waitFor({ state: 'detached' });
  await hers.page.reload();
  await hers.history.locator('ol.opened').waitFor();
  await eventually(async () => expect(await loaded(hers)).toBe(1));
  await inChat(hers).click();
  await hers.dialog(hers.words.stickers.pack).getByText(hers.words.stickers.gone).waitFor();
});
