import { expect, onTestFinished, test } from 'vitest';
import { Network } from './support/proxy';
import { eventually, somebody, url } from './support/stage';
import { WORDS } from './support/words';

const fa = WORDS.fa;

/** Mina behind a network that can go away, John beside the server, and a chat between them. */
async function apart() {
  const network = await Network.to(Number(new URL(url()).port));
  onTestFinished(() => network.close());
  const mina = await somebody('مینا', { at: network.url });
  const john = await somebody('John', { language: 'en' });
  await mina.person.direct(john.person);
  const [hers, his] = [mina.device.main, john.device.main];
  await hers.open('John');
  await his.open('مینا');
  await his.say('before');
  await hers.message('before').waitFor();
  return { network, mina, hers, his };
}

test('the connection is cut: the app says so, keeps what is written, and catches up without loss or doubling', async () => {
  const { network, hers, his } = await apart();
  network.goAway();
  await hers.away.waitFor();
  const mine = ['یک', 'دو', 'سه'];
  for (const text of mine) await hers.say(text);
  for (const text of mine) await hers.mark(text, 'waiting').waitFor();
  const theirs = ['one', 'two', 'three'];
  for (const text of theirs) await his.say(text);
  await his.mark('three', 'sent').waitFor();

  network.comeBack();
  await hers.retryNow();
  await eventually(async () => {
    expect(await hers.texts()).toEqual(['before', ...theirs, ...mine]);
    expect(await his.texts()).toEqual(['before', ...theirs, ...mine]);
  });
  await hers.mark('سه', 'read').waitFor();
  await hers.page.locator('.band').waitFor({ state: 'detached' });
});

test('the device itself says that it is offline', async () => {
  const { network, mina, hers, his } = await apart();
  // The emulation tells the page and stops requests, but lets an open WebSocket live: the network has to go, too.
  await mina.device.context.setOffline(true);
  network.goAway();
  await hers.band(fa.net.offline).waitFor();
  await hers.say('از راه دور');
  await hers.mark('از راه دور', 'waiting').waitFor();
  await hers.row('John').getByRole('img', { name: fa.list.unsent }).waitFor();
  network.comeBack();
  // Nobody presses anything: the device says that it has a network again.
  await mina.device.context.setOffline(false);
  await his.message('از راه دور').waitFor();
  await hers.band(fa.net.offline).waitFor({ state: 'detached' });
  expect(await his.texts()).toEqual(['before', 'از راه دور']);
});

test('the app opens without a network after the first visit, with its chats and what was not sent yet', async () => {
  const { network, mina, hers, his } = await apart();
  // The service worker has its files once it is active.
  await hers.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  network.goAway();
  await hers.away.waitFor();
  await hers.say('نوشته بی شبکه');
  await hers.mark('نوشته بی شبکه', 'waiting').waitFor();

  await hers.page.close();
  const again = await mina.device.tab();
  await again.page.goto(mina.device.url);
  await again.open('John');
  await eventually(async () => expect(await again.texts()).toEqual(['before', 'نوشته بی شبکه']));
  await again.mark('نوشته بی شبکه', 'waiting').waitFor();
  await again.away.waitFor();

  network.comeBack();
  await again.retryNow();
  await again.mark('نوشته بی شبکه', 'read').waitFor();
  expect(await his.texts()).toEqual(['before', 'نوشته بی شبکه']);
  expect(await again.texts()).toEqual(['before', 'نوشته بی شبکه']);
});
