import { expect, onTestFinished, test } from 'vitest';
import { sound } from './support/axe';
import { loaded, picture } from './support/files';
import { Network } from './support/proxy';
import { eventually, somebody, url } from './support/stage';
import { WORDS } from './support/words';

const fa = WORDS.fa;

test('a message goes on to two chats by keyboard alone, says where it comes from, and leads back there', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en' });
  const dara = await somebody('دارا');
  const group = await mina.person.create('group', 'همسفران', [john.person, dara.person]);
  await mina.person.direct(john.person);
  await mina.person.direct(dara.person);
  const seq = await john.person.say(group, 'the bus leaves at nine');
  const hers = mina.device.main;
  await hers.open('همسفران');
  await hers.message('the bus leaves at nine').focus();
  await hers.page.keyboard.press('f');
  const dialog = hers.dialog('هدایت پیام');
  await dialog.waitFor();
  await sound(hers);
  // The search has the keyboard: each Enter takes the first that fits, and the last one sends.
  for (const name of ['John', 'دارا']) {
    await hers.page.keyboard.type(name);
    await hers.page.keyboard.press('Enter');
  }
  await hers.page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  const his = john.device.main;
  await his.open('مینا');
  const bubble = his.message('the bus leaves at nine');
  await bubble.waitFor();
  await bubble.getByRole('button', { name: 'Forwarded from John' }).click();
  await eventually(async () => expect(await his.page.evaluate(() => location.hash)).toBe(`#/chat/${group}/${seq}`));
  await dara.device.main.open('مینا');
  await dara.device.main.message('the bus leaves at nine').getByRole('button', { name: /هدایت‌شده از/ }).waitFor();
  // It is not hers to change.
  await hers.list.getByRole('link', { name: /^John/ }).click();
  await hers.page.getByRole('heading', { name: 'John', exact: true }).first().waitFor();
  await hers.message('the bus leaves at nine').locator('.bubble').click({ button: 'right' });
  await hers.menuItem(fa.chat.forward).waitFor();
  expect(await hers.menuItem(fa.common.edit).count()).toBe(0);
});

test('a picture goes on from the viewer', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en' });
  const chat = await mina.person.direct(john.person);
  const own = await mina.person.direct(mina.person);
  await mina.person.give(own, { kind: 'photo', file_id: await mina.person.upload('photo', picture('a.png', 400, 300)), text: 'حرم' });
  const hers = mina.device.main;
  await hers.page.evaluate((to) => (location.hash = `#/chat/${to}`), own);
  await hers.message('حرم').getByRole('button', { name: fa.media.open(fa.media.photo) }).press('Enter');
  const viewer = hers.page.getByRole('dialog', { name: fa.media.viewer });
  await viewer.locator('img.loaded').waitFor();
  await hers.page.keyboard.press('f');
  const dialog = hers.dialog('هدایت پیام');
  await dialog.waitFor();
  await sound(hers);
  await hers.page.keyboard.type('john');
  await hers.page.keyboard.press('Enter');
  await hers.page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  expect(await viewer.isVisible()).toBe(true);
  const his = john.device.main;
  await his.page.evaluate((to) => (location.hash = `#/chat/${to}`), chat);
  await his.message('حرم').waitFor();
  await eventually(async () => expect(await loaded(his)).toBe(1));
});

test('what is forwarded without a network goes out when there is one, and does not say from whom where that is not wanted', async () => {
  const network = await Network.to(Number(new URL(url()).port));
  onTestFinished(() => network.close());
  const mina = await somebody('مینا', { at: network.url });
  const john = await somebody('John', { language: 'en' });
  await mina.person.direct(john.person);
  const own = await mina.person.direct(mina.person);
  await mina.person.say(own, 'note one');
  await mina.person.say(own, 'note two');
  const hers = mina.device.main;
  await hers.page.evaluate((to) => (location.hash = `#/chat/${to}`), own);
  await hers.message('note two').waitFor();
  network.goAway();
  await hers.away.waitFor();
  await hers.message('note one').focus();
  for (const key of ['x', 'ArrowDown', 'x']) await hers.page.keyboard.press(key);
  await hers.page.getByRole('button', { name: fa.chat.forward, exact: true }).click();
  const dialog = hers.dialog('هدایت ۲ پیام');
  await dialog.getByRole('switch').click();
  await dialog.getByRole('checkbox', { name: 'John' }).check();
  await dialog.getByRole('button', { name: /هدایت/ }).last().click();
  await hers.open('John');
  await hers.mark('note two', 'waiting').waitFor();
  network.comeBack();
  await hers.retryNow();
  const his = john.device.main;
  await his.open('مینا');
  await eventually(async () => expect(await his.texts()).toEqual(['note one', 'note two']));
  await his.message('note one').getByText('Forwarded', { exact: true }).waitFor();
});
