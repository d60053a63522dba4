import { expect, test } from 'vitest';
import type { Locator, Page } from 'playwright-core';
import { sound } from './support/axe';
import { answer, inCall, ring, ringing } from './support/calls';
import { picture } from './support/files';
import { eventually, somebody } from './support/stage';
import { WORDS } from './support/words';

const { fa } = WORDS;

/** The file of the picture in a place that has really been loaded; nothing where there is a letter. */
const shown = async (place: Locator): Promise<string | undefined> => {
  const found = await place.locator('.avatar img').evaluateAll((all) => all.filter((it) => (it as HTMLImageElement).complete && (it as HTMLImageElement).naturalWidth > 0).map((it) => (it as HTMLImageElement).src));
  return found.map((src) => src.split('/').at(-2))[0];
};

async function choose(page: Page, place: Locator, name: string): Promise<void> {
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), place.getByRole('button', { name: fa.media.choosePicture, exact: true }).click()]);
  await chooser.setFiles([picture(name, 900, 600)]);
}

test('the owner gives it one by cropping; a member sees it in the list, above the chat and beside it, and it goes when it is taken away', async () => {
  const [owner, member] = [await somebody('مینا'), await somebody('سارا')];
  await owner.person.direct(member.person);
  const group = await owner.person.create('group', 'سفر نوروز', [member.person]);
  const [hers, theirs] = [owner.device.main, member.device.main];
  await hers.open('سفر نوروز');
  await theirs.open('سفر نوروز');
  const head = (tab: typeof hers) => tab.page.locator('section.chat header');
  await head(hers).getByRole('button', { name: 'سفر نوروز' }).click();
  await hers.info.getByRole('button', { name: fa.members.editInfo }).click();
  const dialog = hers.dialog(fa.members.editInfo);
  await choose(hers.page, dialog, 'نوروز.png');
  const crop = hers.dialog(fa.media.crop);
  // By the keyboard: nearer, and a little aside.
  const canvas = crop.getByRole('img', { name: fa.media.picture, exact: true });
  await crop.getByRole('slider', { name: fa.media.zoom }).fill('2');
  await canvas.focus();
  const before = await canvas.evaluate((it) => (it as HTMLCanvasElement).toDataURL());
  await hers.page.keyboard.press('ArrowLeft');
  await eventually(async () => expect(await canvas.evaluate((it) => (it as HTMLCanvasElement).toDataURL())).not.toBe(before));
  await sound(hers);
  await crop.getByRole('button', { name: fa.common.save, exact: true }).click();
  await crop.waitFor({ state: 'detached' });
  await eventually(async () => expect(await shown(dialog)).toBeDefined());
  const photo = await shown(dialog);
  await dialog.getByRole('button', { name: fa.common.close, exact: true }).click();

  await head(theirs).getByRole('button', { name: 'سفر نوروز' }).click();
  for (const place of [theirs.row('سفر نوروز'), head(theirs), theirs.info, hers.row('سفر نوروز')]) await eventually(async () => expect(await shown(place)).toBe(photo));
  // Small in lists, as far as they are seen.
  const inList = theirs.row('سفر نوروز').locator('.avatar img');
  expect(await inList.getAttribute('src')).toContain('/80');
  expect(await inList.getAttribute('loading')).toBe('lazy');
  expect((await member.person.call<{ chat: { photo: string } }>('get_chat', { chat_id: group })).chat.photo).toBe(photo);

  await hers.info.getByRole('button', { name: fa.members.editInfo }).click();
  await dialog.getByRole('button', { name: fa.media.removePicture, exact: true }).click();
  for (const place of [theirs.row('سفر نوروز'), head(theirs), theirs.info, dialog]) await eventually(async () => expect(await shown(place)).toBeUndefined());
});

test("one's own picture is seen in the other's list, in the member list, while it rings, in the call and in the log of calls", async () => {
  const [mina, john] = [await somebody('مینا'), await somebody('John', { language: 'en' })];
  const photo = await mina.person.upload('avatar', picture('me.png', 300, 300));
  await mina.person.call('set_avatar', { file_id: photo });
  await mina.person.direct(john.person);
  await mina.person.create('group', 'Two of us', [john.person]);
  const [hers, his] = [mina.device.main, john.device.main];
  await eventually(async () => expect(await shown(his.row('مینا'))).toBe(photo));
  await his.open('Two of us');
  await his.page.locator('section.chat header').getByRole('button', { name: 'Two of us' }).click();
  await eventually(async () => expect(await shown(his.info.getByRole('listitem').filter({ hasText: 'مینا' }))).toBe(photo));

  await hers.open('John');
  await ring(hers, 'John');
  await ringing(his, 'مینا').waitFor();
  await eventually(async () => expect(await shown(ringing(his, 'مینا'))).toBe(photo));
  await answer(his, 'مینا');
  await eventually(async () => expect(await shown(inCall(his, 'مینا'))).toBe(photo));
  await inCall(hers, 'John').getByRole('button', { name: fa.call.hangUp, exact: true }).click();
  await his.dialog(his.words.call.rateTitle).getByRole('button', { name: his.words.call.rateSkip, exact: true }).click();
  await his.page.evaluate(() => void (location.hash = '#/calls'));
  const log = his.page.getByRole('region', { name: his.words.call.log }).getByRole('listitem').filter({ hasText: 'مینا' });
  await eventually(async () => expect(await shown(log)).toBe(photo));
});
