import { expect, test } from 'vitest';
import { Person } from './support/people';
import { somebody, url } from './support/stage';
import { WORDS } from './support/words';

const fa = WORDS.fa;

test('the owner posts, three readers see it and cannot write', async () => {
  const owner = await somebody('سردبیر');
  const readers = [];
  for (const name of ['سارا', 'امیر', 'رضا']) readers.push(await somebody(name));
  const title = 'خبرهای امروز';
  const desk = owner.device.main;

  await desk.list.getByRole('button', { name: fa.list.newChat }).click();
  const form = desk.dialog(fa.list.newChat);
  await form.getByRole('button', { name: fa.create.channel, exact: true }).click();
  await form.getByLabel(fa.create.title, { exact: true }).fill(title);
  const publicName = `news_${owner.person.handle}`.slice(0, 32);
  await form.getByLabel(fa.create.publicHandle).fill(publicName);
  await form.getByRole('button', { name: fa.create.make, exact: true }).click();
  await desk.page.getByRole('heading', { name: title }).waitFor();

  // Each finds it by its name.
  for (const reader of readers) {
    const tab = reader.device.main;
    await tab.list.getByRole('searchbox').fill(`@${publicName}`);
    await tab.list.getByRole('button', { name: fa.list.findPublic(publicName) }).click();
    await tab.page.getByRole('heading', { name: title }).waitFor();
  }
  await desk.say('خبر نخست');
  await desk.say('خبر دوم');
  for (const { device } of readers) {
    const tab = device.main;
    await tab.message('خبر دوم').waitFor();
    expect(await tab.texts()).toEqual(['خبر نخست', 'خبر دوم']);
    await tab.page.getByText(fa.chat.readOnly, { exact: true }).waitFor();
    expect(await tab.composer.count()).toBe(0);
    // Neither by the menu of a message.
    await tab.message('خبر دوم').locator('.bubble').click({ button: 'right' });
    await tab.menuItem(fa.common.copy).or(tab.menuItem(fa.chat.copyText)).waitFor();
    for (const forbidden of [fa.chat.reply, fa.common.edit]) expect(await tab.menuItem(forbidden).count()).toBe(0);
    await tab.page.keyboard.press('Escape');
  }
  // They react, all in the same post.
  for (const { device } of readers) await device.main.act('خبر دوم', fa.chat.reactWith('❤️'));
  await desk.message('خبر دوم').getByRole('button', { name: fa.chat.reactions('❤️', 3) }).waitFor();

  // The server does not take a reader's word either.
  const [first] = readers;
  const me = first!.person as Person;
  const { chat } = await me.call<{ chat: { id: number } }>('resolve', { handle: publicName });
  await expect(me.say(chat.id, 'from a reader')).rejects.toThrow(/forbidden/);
  expect(url()).toBe(me.url);
});
