import { expect, test } from 'vitest';
import { sound } from './support/axe';
import { eventually, somebody } from './support/stage';

test('somebody is named by keyboard and by finger, and goes from one mention to the next', async () => {
  const mina = await somebody('مینا');
  const sara = await somebody('سارا محمدی', { size: 'phone' });
  const john = await somebody('John', { language: 'en' });
  const chat = await mina.person.create('group', 'همسفران', [sara.person, john.person]);
  const hers = mina.device.main;
  await hers.open('همسفران');
  // By a part of the name, as it is typed on an Arabic keyboard, with keys alone.
  await hers.composer.pressSequentially('سلام @محمدي');
  const members = hers.page.getByRole('listbox', { name: hers.words.mentions.whom });
  await members.getByRole('option', { name: /سارا محمدی/ }).waitFor();
  await sound(hers);
  await hers.page.keyboard.press('Enter');
  await members.waitFor({ state: 'detached' });
  expect(await hers.composer.inputValue()).toBe(`سلام @${sara.person.handle} `);
  await hers.composer.pressSequentially('می‌آیی؟');
  await hers.page.keyboard.press('Enter');
  const bubble = hers.message('می‌آیی؟');
  await bubble.getByRole('button', { name: `@${sara.person.handle}` }).waitFor();

  // Sara reads her list, and what lies between.
  for (let n = 0; n < 40; n++) await john.person.say(chat, `line ${n}`);
  const own = await sara.person.say(chat, 'کی می‌رویم؟');
  await john.person.say(chat, 'at nine', { reply_to: own });
  const his = sara.device.main;
  await his.row('همسفران').getByRole('img', { name: his.words.list.mentions(2) }).waitFor();
  await his.open('همسفران');
  // The first stands where it was opened; the answer is at the end.
  await his.message('می‌آیی؟').waitFor();
  const next = his.page.getByRole('button', { name: his.words.chat.nextMention(1) });
  await next.waitFor();
  await sound(his);
  await next.click();
  await his.message('at nine').waitFor();
  await next.waitFor({ state: 'detached' });

  // By finger: she names who is chosen with a tap.
  await his.composer.pressSequentially('@jo');
  await his.page.getByRole('option', { name: /John/ }).tap();
  await his.composer.pressSequentially('ok');
  await his.page.getByRole('button', { name: his.words.chat.send, exact: true }).click();
  const theirs = john.device.main;
  await theirs.row('همسفران').getByRole('img', { name: theirs.words.list.mentions(1) }).waitFor();
  // Deleted, it is counted no more.
  await his.act(`@${john.person.handle}`, his.words.common.delete);
  await his.page.getByRole('dialog').getByRole('button', { name: his.words.deletion.forAll, exact: true }).click();
  await theirs.row('همسفران').getByRole('img', { name: theirs.words.list.mentions(1) }).waitFor({ state: 'detached' });
});

/** Allows notifications, and writes down what they say. */
const LISTENS = `
  window.told = [];
  const tell = (title, { body }) => window.told.push(body);
  window.Notification = class { static permission = 'granted'; constructor(...all) { tell(...all); } };
  if (window.ServiceWorkerRegistration) ServiceWorkerRegistration.prototype.showNotification = async (...all) => tell(...all);
  Document.prototype.hasFocus = () => false;
  try { localStorage['chapar.notify'] = 'true'; } catch {}
`;

test('a muted group is heard when somebody is mentioned', async () => {
  const mina = await somebody('مینا', { before: LISTENS });
  const john = await somebody('John', { language: 'en' });
  const chat = await mina.person.create('group', 'کاروان', [john.person]);
  const hers = mina.device.main;
  await hers.row('کاروان').click({ button: 'right' });
  await hers.menuItem(hers.words.folders.muteButMentions).click();
  await hers.menuItem(hers.words.folders.spans.always).click();
  await hers.row('کاروان').getByRole('img', { name: hers.words.list.muted }).waitFor();
  const mention = { entities: [{ offset: 0, length: 3, type: 'mention', user_id: mina.person.id }] };
  await john.person.say(chat, 'nothing of note');
  await john.person.say(chat, 'you?', mention);
  await hers.row('کاروان').getByRole('img', { name: hers.words.list.mentions(1) }).waitFor();
  const told = (): Promise<string[]> => hers.page.evaluate(() => (window as unknown as { told: string[] }).told);
  await eventually(async () => expect(await told()).toHaveLength(1));
  expect((await told())[0]).toContain('you?');
  // Of somebody whom she has blocked she hears nothing, by whatever they say.
  await mina.person.call('set_items', { items: [{ kind: 'block', user_id: john.person.id, value: {} }] });
  const seq = await john.person.say(chat, 'and now?', mention);
  await hers.row('کاروان').getByRole('img', { name: hers.words.list.mentions(2) }).waitFor();
  expect(seq).toBeGreaterThan(0);
  expect(await told()).toHaveLength(1);
});
