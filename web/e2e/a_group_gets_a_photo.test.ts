import { expect, inject, test } from 'vitest';
import type { Locator, Page } from 'playwright-core';
import { sound } from './support/axe';
import { answer, caller, hears, inCall, ring, ringing } from './support/calls';
import { picture } from './support/files';
import { sql } from './support/sql';
import { device, eventually, somebody } from './support/stage';
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
  const [mina, john] = [await caller('مینا'), await caller('John', { language: 'en' })];
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
  // One that was never connected is not asked about.
  await Promise.all([hears(hers), hears(his)]);
  await inCall(hers, 'John').getByRole('button', { name: fa.call.hangUp, exact: true }).click();
  await his.dialog(his.words.call.rateTitle).getByRole('button', { name: his.words.call.rateSkip, exact: true }).click();
  await his.page.evaluate(() => void (location.hash = '#/calls'));
  const log = his.page.getByRole('region', { name: his.words.call.log }).getByRole('listitem').filter({ hasText: 'مینا' });
  await eventually(async () => expect(await shown(log)).toBe(photo));
});

test('of 2,000 groups with photos a list asks only for those near the screen, small', async () => {
  const mina = await somebody('مینا');
  const first = await mina.person.create('group', 'گروه 0', []);
  await mina.device.close();
  // Each has a photo of its own: whether it can be had is not asked here.
  const from = first + 1_000_000;
  sql(
    inject('folder'),
    `INSERT INTO chats (id, kind, title, rights, created_at, changed_at, seq, version, info_version, about)
         SELECT ${from} + n, kind, 'گروه ' || n, rights, created_at, changed_at - make_interval(mins => n), seq, version, info_version, jsonb_build_object('photo', gen_random_uuid())
         FROM chats, generate_series(1, 2000) n WHERE id = ${first};
     INSERT INTO counts (chat_id, members) SELECT ${from} + n, 1 FROM generate_series(1, 2000) n;
     INSERT INTO members (chat_id, user_id, role, engaged, turn, version)
         SELECT ${from} + n, user_id, role, engaged, turn, version FROM members, generate_series(1, 2000) n WHERE chat_id = ${first};
     INSERT INTO messages (chat_id, seq, version, sender_id, client_id, client_hash, sent_at, body)
         SELECT ${from} + n, seq, version, sender_id, gen_random_uuid(), 0, sent_at, body FROM messages, generate_series(1, 2000) n WHERE chat_id = ${first};
     INSERT INTO user_chats (user_id, chat_id, kind, role, engaged, turn, version)
         SELECT ${mina.person.id}, ${from} + n, 1, 2, true, 1, version + n FROM users, generate_series(1, 2000) n WHERE id = ${mina.person.id};
     UPDATE users SET version = version + 2000 WHERE id = ${mina.person.id};`,
  );
  const again = await device();
  const asked: string[] = [];
  again.page.on('request', (request) => void (request.url().includes('/files/avatar/') && asked.push(request.url())));
  await again.signIn(mina.person.handle);
  const rows = again.main.list.getByRole('link');
  await eventually(async () => expect(await rows.count()).toBeGreaterThan(20));
  await eventually(() => expect(asked.length).toBeGreaterThan(5));
  await again.page.waitForLoadState('networkidle');
  const atFirst = asked.length;
  // Some sixty stand near the screen; while the list comes in pages others do for a moment.
  expect(atFirst).toBeLessThan(500);
  await rows.nth(5).hover();
  await again.page.mouse.wheel(0, 20_000);
  await eventually(() => expect(asked.length).toBeGreaterThan(atFirst));
  expect(asked.every((url) => url.endsWith('/80'))).toBe(true);
});
