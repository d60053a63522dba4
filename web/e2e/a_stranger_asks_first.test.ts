import { expect, test } from 'vitest';
import type { Tab } from './support/browser';
import { Firefox, hasFirefox } from './support/firefox';
import { Person } from './support/people';
import { device, eventually, somebody, url } from './support/stage';
import { WORDS } from './support/words';

const { fa, en } = WORDS;
const isolated = (name: string): string => `\u2068${name}\u2069`;

const requests = (tab: Tab) => tab.list.getByRole('link', { name: tab.words.list.requests });
const card = (tab: Tab, name: string) => tab.page.getByRole('region', { name: tab.words.requests.wants(isolated(name)) });
const button = (tab: Tab, name: string) => tab.page.getByRole('button', { name, exact: true });

/** Finds somebody by their handle, as one does who knows nothing else of them. */
async function find(tab: Tab, handle: string, name: string): Promise<void> {
  const search = tab.list.getByRole('searchbox');
  await search.fill(handle);
  await tab.list.getByRole('button', { name: tab.words.list.findPublic(handle) }).waitFor();
  await search.press('Enter');
  await tab.page.getByRole('heading', { name, exact: true }).first().waitFor();
}

async function openRequest(tab: Tab, name: string): Promise<void> {
  await requests(tab).click();
  await tab.page.getByRole('region', { name: tab.words.list.requests }).getByRole('link').filter({ hasText: name }).click();
  await card(tab, name).waitFor();
}

test('what a stranger writes stands apart and tells them nothing; accepted, it is a chat like any other', async () => {
  const [mina, john] = [await somebody('مینا'), await somebody('John', { language: 'en' })];
  const [hers, his] = [mina.device.main, john.device.main];
  await find(his, mina.person.handle, 'مینا');
  await his.say('Hello, are you the Mina of the train?');
  await his.mark('Hello, are you', 'sent').waitFor();

  // Apart: one row above, without a number in the title of the page.
  await requests(hers).getByRole('img', { name: fa.list.requestCount(1) }).waitFor();
  expect(await hers.list.getByRole('link').count()).toBe(1);
  expect(await hers.page.title()).toBe(fa.app);

  await openRequest(hers, 'John');
  await hers.message('Hello, are you the Mina').waitFor();
  await card(hers, 'John').getByText(`@${john.person.handle}`).waitFor();
  // Nothing can be written, called or reacted to before it is accepted.
  expect(await hers.composer.count()).toBe(0);
  expect(await button(hers, fa.chat.call).count()).toBe(0);
  await hers.message('Hello, are you the Mina').locator('.bubble').click({ button: 'right' });
  await hers.menuItem(fa.chat.copyText).waitFor();
  expect(await hers.menuItem(fa.chat.reply).count()).toBe(0);
  expect(await hers.menuItem(fa.chat.reactWith('👍')).count()).toBe(0);
  await hers.page.keyboard.press('Escape');
  // She has read it, and he does not learn of it: the marks of all that could tell are read and past.
  await hers.page.waitForTimeout(600);
  await his.say('It was the night train');
  await hers.message('It was the night train').waitFor();
  expect(await his.mark('Hello, are you', 'sent').count()).toBe(1);

  await card(hers, 'John').getByRole('button', { name: fa.requests.accept, exact: true }).click();
  await hers.composer.waitFor();
  await his.mark('It was the night train', 'read').waitFor();
  await hers.say('بله، سلام!');
  await his.message('بله، سلام!').waitFor();
  await hers.row('John').waitFor();
  expect(await requests(hers).count()).toBe(0);
});

test('declined, it is gone and stays away, whatever comes after it', async () => {
  const mina = await somebody('مینا', { size: 'phone' });
  const [john, ben] = [await Person.register(url(), 'John'), await Person.register(url(), 'Ben')];
  const hers = mina.device.main;
  const chats: number[] = [];
  for (const each of [john, ben]) {
    await each.finds(mina.person);
    const { chat } = await each.call<{ chat: { id: number } }>('open_direct', { user_id: mina.person.id });
    chats.push(chat.id);
    await each.say(chat.id, `hello from ${each.name}`);
  }
  await requests(hers).getByRole('img', { name: fa.list.requestCount(2) }).waitFor();
  await openRequest(hers, 'John');
  await card(hers, 'John').getByRole('button', { name: fa.requests.decline, exact: true }).click();
  // The next one waits.
  const screen = hers.page.getByRole('region', { name: fa.list.requests });
  await screen.getByRole('link').filter({ hasText: 'Ben' }).waitFor();
  await john.say(chats[0]!, 'why not?');
  await ben.say(chats[1]!, 'and I?');
  await screen.getByRole('link').filter({ hasText: 'and I?' }).waitFor();
  expect(await screen.getByRole('link').count()).toBe(1);
  await screen.getByRole('link').click();
  await card(hers, 'Ben').getByRole('button', { name: fa.requests.decline, exact: true }).click();
  await hers.list.waitFor();
  await eventually(async () => expect(await requests(hers).count()).toBe(0));
});

test('blocked and reported from the card: they are told no more than that it is not taken; the settings list them and let them back', async () => {
  const [mina, john] = [await somebody('مینا'), await somebody('John', { language: 'en' })];
  const [hers, his] = [mina.device.main, john.device.main];
  await find(his, mina.person.handle, 'مینا');
  await his.say('Buy gold now');
  await openRequest(hers, 'John');
  await card(hers, 'John').getByRole('button', { name: fa.people.report, exact: true }).click();
  const report = hers.dialog(fa.people.reportTitle(isolated('John')));
  await report.getByRole('radio', { name: fa.people.reasons.fraud }).check();
  await report.getByLabel(fa.people.note).fill('طلا می‌فروشد');
  expect(await report.getByRole('checkbox', { name: fa.people.alsoBlock }).isChecked()).toBe(true);
  await report.getByRole('button', { name: fa.people.send, exact: true }).click();
  await hers.page.getByText(fa.people.reported).waitFor();
  await eventually(async () => expect(await requests(hers).count()).toBe(0));

  await his.say('Hello?');
  await his.message('Hello?').getByText(en.errors.refused_by_user).waitFor();

  await mina.device.visit('#/settings');
  const privacy = hers.page.getByRole('region', { name: fa.privacy.title });
  await privacy.getByRole('button', { name: fa.privacy.blocked }).click();
  const list = hers.dialog(fa.privacy.blocked);
  await list.getByText('John', { exact: true }).waitFor();
  await list.getByRole('button', { name: fa.people.unblock, exact: true }).click();
  await list.getByText(fa.privacy.noBlocked).waitFor();
});

test('a friend who is blocked cannot write; one may look back, and let them write again', async () => {
  const [mina, john] = [await somebody('مینا'), await somebody('John', { language: 'en' })];
  const chat = await mina.person.direct(john.person);
  await john.person.say(chat, 'see you');
  const [hers, his] = [mina.device.main, john.device.main];
  await hers.open('John');
  await his.open('مینا');
  await hers.page.locator('section.chat header .who').click();
  await hers.info.getByRole('button', { name: fa.people.block, exact: true }).click();
  await hers.dialog(fa.people.blockQuestion(isolated('John'))).getByRole('button', { name: fa.people.block, exact: true }).click();
  await hers.page.getByText(fa.people.youBlocked(isolated('John'))).waitFor();
  expect(await hers.composer.count()).toBe(0);
  expect(await button(hers, fa.chat.call).count()).toBe(0);
  await his.say('are you there?');
  await his.message('are you there?').getByText(en.errors.refused_by_user).waitFor();

  await hers.page.locator('section.chat').getByRole('button', { name: fa.people.unblock, exact: true }).click();
  await hers.composer.waitFor();
  await his.page.getByRole('button', { name: en.chat.resend }).click();
  await hers.message('are you there?').waitFor();
});

test('who may write, call, add and see is one choice on all devices, and is kept', async () => {
  const mina = await somebody('مینا');
  const pocket = await device({ size: 'phone', language: 'en' });
  await pocket.signIn(mina.person.handle);
  await mina.device.visit('#/settings');
  await pocket.visit('#/settings');
  const [hers, small] = [mina.device.main, pocket.main];
  const choice = (tab: Tab, which: 'who_may_write' | 'who_may_see') => tab.page.getByRole('combobox', { name: tab.words.privacy[which] });
  expect(await choice(hers, 'who_may_write').inputValue()).toBe('everybody');
  await choice(hers, 'who_may_write').selectOption('known');
  await eventually(async () => expect(await choice(small, 'who_may_write').inputValue()).toBe('known'));
  await choice(small, 'who_may_see').selectOption('nobody');
  await eventually(async () => expect(await choice(hers, 'who_may_see').inputValue()).toBe('nobody'));

  const john = await somebody('John', { language: 'en' });
  const his = john.device.main;
  const search = his.list.getByRole('searchbox');
  await search.fill(mina.person.handle);
  await his.list.getByRole('button', { name: en.list.findPublic(mina.person.handle) }).click();
  await his.page.getByText(en.errors.refused_by_user).first().waitFor();

  await hers.page.reload();
  await eventually(async () => expect(await choice(hers, 'who_may_write').inputValue()).toBe('known'));
  await choice(hers, 'who_may_write').selectOption('everybody');
  await eventually(async () => expect(await choice(small, 'who_may_write').inputValue()).toBe('everybody'));
});

test.runIf(hasFirefox())('with Firefox one asks, is accepted and is answered', async () => {
  const mina = await somebody('مینا');
  const hers = mina.device.main;
  const john = await Person.register(url(), 'John');
  const firefox = await Firefox.open();
  try {
    await firefox.signIn(url(), john.handle, en.auth.signIn);
    await firefox.focus('nav.list input');
    await firefox.type(`${mina.person.handle}\uE007`);
    await firefox.focus('textarea');
    await firefox.type('hello from Firefox');
    await firefox.press(en.chat.send);
    await openRequest(hers, 'John');
    await card(hers, 'John').getByRole('button', { name: fa.requests.accept, exact: true }).click();
    await hers.say('سلام، پذیرفتم');
    await firefox.see('سلام، پذیرفتم');
  } finally {
    await firefox.close();
  }
});
