import { expect, test } from 'vitest';
import { sound } from './support/axe';
import { eventually, somebody } from './support/stage';

test('who has reacted and who has read, in a group', async () => {
  const mina = await somebody('مینا', { size: 'phone' });
  const john = await somebody('John', { language: 'en' });
  const sara = await somebody('سارا');
  const chat = await mina.person.create('group', 'کاروان', [john.person, sara.person]);
  const seq = await mina.person.say(chat, 'فردا ساعت هشت');
  await john.person.call('react', { chat_id: chat, seq, emoji: '👍' });
  await sara.person.call('react', { chat_id: chat, seq, emoji: '🌹' });
  await john.person.call('mark_read', { chat_id: chat, seq });

  const hers = mina.device.main;
  await hers.open('کاروان');
  await hers.act('فردا ساعت هشت', hers.words.chat.audience);
  const words = hers.words.audience;
  const dialog = hers.dialog(words.title);
  await dialog.getByRole('heading', { name: words.read }).waitFor();
  const people = dialog.getByRole('listitem');
  await eventually(async () => expect(await people.count()).toBe(3));
  await sound(hers);
  await dialog.getByRole('button', { name: '🌹' }).click();
  await eventually(async () => expect(await people.allInnerTexts()).toHaveLength(2));
  await people.filter({ hasText: 'سارا' }).waitFor();
  await hers.page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });

  // In a channel its readers do not learn of each other.
  const channel = await mina.person.create('channel', 'خبرها', [john.person]);
  const post = await mina.person.say(channel, 'خبر نخست');
  await john.person.call('react', { chat_id: channel, seq: post, emoji: '👍' });
  await hers.page.keyboard.press('Escape');
  const theirs = john.device.main;
  await theirs.open('خبرها');
  await theirs.message('خبر نخست').locator('.bubble').click({ button: 'right' });
  await theirs.menuItem(theirs.words.chat.copyText).waitFor();
  expect(await theirs.menuItem(theirs.words.chat.audience).count()).toBe(0);
});

test('all that is pinned, and all of it taken back', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en', size: 'phone' });
  const chat = await mina.person.create('group', 'کاروان', [john.person]);
  for (const text of ['نخست', 'دوم', 'سوم']) {
    const seq = await mina.person.say(chat, text);
    await mina.person.call('pin_message', { chat_id: chat, seq });
  }
  const [hers, his] = [mina.device.main, john.device.main];
  await his.open('کاروان');
  await his.page.getByRole('button', { name: his.words.pins.show }).click();
  const list = his.dialog(his.words.members.pinned);
  await eventually(async () => expect(await list.getByRole('listitem').allInnerTexts()).toHaveLength(3));
  expect(await list.getByRole('button', { name: his.words.pins.all }).count()).toBe(0);
  await sound(his);
  await list.getByRole('button', { name: 'نخست' }).click();
  await list.waitFor({ state: 'detached' });

  await hers.open('کاروان');
  await hers.page.getByRole('button', { name: hers.words.pins.show }).click();
  const own = hers.dialog(hers.words.members.pinned);
  await own.getByRole('button', { name: hers.words.pins.all, exact: true }).click();
  await hers.page.getByRole('dialog', { name: hers.words.pins.allQuestion(3) }).getByRole('button', { name: hers.words.pins.all, exact: true }).click();
  await his.page.getByRole('group', { name: his.words.members.pinned }).waitFor({ state: 'detached' });
});
