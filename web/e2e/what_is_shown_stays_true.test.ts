import { expect, onTestFinished, test } from 'vitest';
import type { Tab } from './support/browser';
import { Person } from './support/people';
import { Network } from './support/proxy';
import { device, eventually, somebody, url } from './support/stage';
import { WORDS } from './support/words';

const { fa, en } = WORDS;

test('a message that was answered is deleted: the answer no longer quotes it, however far above it stood', async () => {
  const mina = await somebody('مینا');
  const john = await Person.register(url(), 'John');
  const chat = await mina.person.direct(john);
  const asked = await mina.person.say(chat, 'رازی که پس گرفته می‌شود');
  for (let number = 1; number <= 120; number++) await john.say(chat, `between ${number}`);
  const answer = await john.say(chat, 'my answer', { reply_to: asked });
  await mina.person.read(chat, answer);
  const tab = mina.device.main;
  await tab.open('John');
  const quote = tab.message('my answer').locator('.quote');
  await quote.getByText('رازی که پس گرفته می‌شود').waitFor();

  await mina.person.call('delete', { chat_id: chat, seq: asked });
  await quote.getByText(fa.chat.deleted).waitFor();
  expect(await quote.getByText('رازی که پس گرفته می‌شود').count()).toBe(0);
});

test('one who is offline oneself is not told that others are online', async () => {
  const network = await Network.to(Number(new URL(url()).port));
  onTestFinished(() => network.close());
  const mina = await somebody('مینا', { at: network.url });
  const john = await somebody('John', { language: 'en' });
  const chat = await mina.person.direct(john.person);
  const hers = mina.device.main;
  await hers.open('John');
  // Nobody learns whether somebody is online who has never answered: with his first words she does.
  await john.person.say(chat, 'Good morning');
  await hers.standing.getByText(fa.presence.online, { exact: true }).waitFor();
  network.goAway();
  await hers.away.waitFor();
  await hers.standing.getByText(fa.presence.seenNow, { exact: true }).waitFor();
  network.comeBack();
  await hers.retryNow();
  await hers.standing.getByText(fa.presence.online, { exact: true }).waitFor();

  // The device itself says it first: no connection has ended yet.
  await mina.device.context.setOffline(true);
  await hers.standing.getByText(fa.presence.seenNow, { exact: true }).waitFor();
  await mina.device.context.setOffline(false);
  await hers.standing.getByText(fa.presence.online, { exact: true }).waitFor();
});

test('a group that one has made oneself has nothing unread in it', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en' });
  await mina.person.create('group', 'سفر', [john.person]);
  // He has something new there; she, on a device that never opened it, has not.
  await john.device.main.row('سفر').getByText('1', { exact: true }).waitFor();
  const phone = await device({ size: 'phone', language: 'en' });
  await phone.signIn(mina.person.handle);
  for (const tab of [mina.device.main, phone.main]) {
    await tab.row('سفر').waitFor();
    expect(await tab.row('سفر').locator('.badge').count()).toBe(0);
  }
  await john.person.call('send', { chat_id: Number(await chatOf(john.device.main)), client_id: crypto.randomUUID(), body: { kind: 'text', text: 'hello' } });
  await phone.main.row('سفر').getByText('1', { exact: true }).waitFor();
  expect(await phone.main.row('سفر').getByRole('img', { name: en.list.unread(1) }).count()).toBe(1);
  await mina.device.main.open('سفر');
  await mina.device.main.history.getByText(fa.service.created(`\u2068${fa.common.you}\u2069`, true)).waitFor();
  await mina.device.main.message('hello').waitFor();
  await eventually(async () => expect(await phone.main.row('سفر').locator('.badge').count()).toBe(0));
});

async function chatOf(tab: Tab): Promise<string> {
  await tab.open('سفر');
  return /chat\/(\d+)/.exec(tab.page.url())?.[1] ?? '';
}

test('somebody takes another name: it stands everywhere at once, in the list, over the chat, on messages and among the members', async () => {
  const mina = await somebody('مینا');
  const john = await Person.register(url(), 'John');
  const chat = await john.direct(mina.person);
  const group = await mina.person.create('group', 'سفر', [john]);
  await mina.person.direct(john);
  await mina.person.say(chat, 'hello');
  await john.say(chat, 'hi');
  await john.say(group, 'in the group');
  const tab = mina.device.main;
  await mina.device.visit(`#/chat/${chat}`);
  await tab.page.getByRole('heading', { name: 'John', exact: true }).first().waitFor();
  await john.call('set_name', { name: 'جان' });
  await tab.list.getByRole('link').filter({ hasText: 'hi' }).getByText('جان').waitFor();
  await tab.page.getByRole('heading', { name: 'جان', exact: true }).first().waitFor();
  await tab.open('سفر');
  await tab.message('in the group').getByText('جان').first().waitFor();
  await john.call('set_name', { name: 'John the second' });
  await tab.message('in the group').getByText('John the second').first().waitFor();
  await tab.list.getByRole('link').filter({ hasText: 'hi' }).getByText('John the second').waitFor();
});
