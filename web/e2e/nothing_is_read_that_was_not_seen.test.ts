import { expect, test } from 'vitest';
import { Network } from './support/proxy';
import { Person } from './support/people';
import { device, eventually, somebody, url } from './support/stage';

/** How far somebody has read a chat, by the server. */
async function readSeq(of: Person, reader: Person, chat: number): Promise<number> {
  const { members } = await of.call<{ members: { user_id: number; read_seq: number }[] }>('get_members', { chat_id: chat });
  return members.find(({ user_id }) => user_id === reader.id)?.read_seq ?? -1;
}

const lines = async (from: Person, chat: number, count: number, word: string): Promise<void> => {
  for (let at = 1; at <= count; at++) await from.say(chat, `${word} ${at}`);
};

test('a chat that is opened by its address begins at the first unread one, however many there are', async () => {
  for (const count of [29, 31, 100]) {
    const { device: hers, person: her } = await somebody('رها');
    const friend = await Person.register(url(), 'نیما');
    const chat = await friend.direct(her);
    await hers.main.row('نیما').waitFor();
    await hers.page.goto('about:blank');
    await lines(friend, chat, count, 'سطر');
    await hers.page.goto(`${hers.url}/#/chat/${chat}`);
    await hers.main.message('سطر 1').first().waitFor();
    await hers.main.history.locator('ol.opened').waitFor();
    await eventually(async () => expect(await hers.main.history.getByText('سطر 1', { exact: true }).isVisible()).toBe(true));
    await hers.page.waitForTimeout(1_000);
    const read = await readSeq(friend, her, chat);
    expect(read, `${count} unread`).toBeLessThan(Math.min(count, 26));
    // Down to the end by the button: then it is all read.
    await hers.page.getByRole('button', { name: new RegExp(hers.words.chat.newBelow(0)) }).click();
    await eventually(async () => expect(await readSeq(friend, her, chat)).toBeGreaterThanOrEqual(count));
  }
});

test('what comes in a burst, or while nobody looks, does not scroll by as read', async () => {
  const { device: hers, person: her } = await somebody('رها');
  const friend = await Person.register(url(), 'نیما');
  const chat = await friend.direct(her);
  await friend.say(chat, 'آغاز');
  await hers.main.open('نیما');
  await eventually(async () => expect(await readSeq(friend, her, chat)).toBe(1));
  await hers.context.setOffline(true);
  await lines(friend, chat, 80, 'سطر');
  await hers.context.setOffline(false);
  await eventually(async () => expect(await hers.main.history.getByText('سطر 1', { exact: true }).isVisible()).toBe(true));
  await hers.page.waitForTimeout(1_000);
  expect(await readSeq(friend, her, chat)).toBeLessThan(40);
});

test('without a network nothing is read at the end, and with it one comes to the first unread', async () => {
  const network = await Network.to(Number(new URL(url()).port));
  const friend = await Person.register(url(), 'نیما');
  const { device: hers, person: her } = await somebody('رها', { at: network.url });
  const chat = await friend.direct(her);
  await lines(friend, chat, 90, 'سطر');
  await hers.main.row('نیما').waitFor();
  await hers.page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await hers.page.reload();
  await hers.main.row('نیما').waitFor();
  network.goAway();
  await hers.page.goto(`${hers.url}/#/chat/${chat}`);
  await hers.main.history.locator('ol.opened').waitFor();
  await hers.page.waitForTimeout(600);
  network.comeBack();
  await eventually(async () => expect(await hers.main.history.getByText('سطر 1', { exact: true }).isVisible()).toBe(true));
  expect(await readSeq(friend, her, chat)).toBeLessThan(40);
  await network.close();
});

test('what only the server has of the first unread is gone to once there is a network, and the page is not kept busy by it', async () => {
  const network = await Network.to(Number(new URL(url()).port));
  const [friend, her] = [await Person.register(url(), 'نیما'), await Person.register(url(), 'رها')];
  const chat = await friend.direct(her);
  await lines(friend, chat, 90, 'سطر');
  // A new device is given the end of the chat.
  const hers = await device({ at: network.url });
  await hers.signIn(her.handle);
  await hers.main.row('نیما').waitFor();
  await hers.page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await hers.page.reload();
  await hers.main.row('نیما').waitFor();
  network.goAway();
  await hers.main.away.waitFor();
  await hers.page.goto(`${hers.url}/#/chat/${chat}`);
  await hers.main.history.locator('ol.opened').waitFor();
  expect(await hers.main.message('سطر 1').count(), 'only the end is at hand').toBe(0);
  const asked: string[] = [];
  hers.page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => asked.push(String(payload))));
  network.comeBack();
  await eventually(async () => expect(await hers.main.history.getByText('سطر 1', { exact: true }).isVisible()).toBe(true));
  // Once, or twice where the connection broke again; not as often as answers come.
  expect(asked.filter((frame) => frame.includes('"history"')).length).toBeLessThan(6);
  expect(await readSeq(friend, her, chat)).toBeLessThan(40);
  await network.close();
});
