import { expect, test } from 'vitest';
import { sound } from './support/axe';
import { device, eventually, somebody } from './support/stage';
import { WORDS } from './support/words';

const { fa, en } = WORDS;

test('a channel gets a group for its posts, a reader comes in and comments, and the post counts it', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en' });
  await mina.person.direct(john.person);
  const channel = await mina.person.create('channel', 'بامداد', [john.person]);
  await mina.person.create('group', 'نقد و نظر', []);
  const hers = mina.device.main;
  await hers.open('بامداد');
  await hers.page.locator('.who').click();
  await hers.info.getByRole('button', { name: fa.threads.discussion }).click();
  const dialog = hers.dialog(fa.threads.discussion);
  await sound(hers);
  await dialog.getByRole('button', { name: 'نقد و نظر' }).click();
  await dialog.waitFor({ state: 'detached' });
  await hers.page.keyboard.press('Escape');
  await mina.person.say(channel, 'خبر نخست');

  // John's phone: from the post into the discussion, where he was not.
  const his = john.device.main;
  await his.open('بامداد');
  await his.message('خبر نخست').getByRole('button', { name: en.threads.leave }).click();
  await his.page.getByRole('dialog').getByRole('button', { name: en.threads.join }).click();
  const pane = his.page.getByRole('region', { name: en.threads.title });
  await pane.getByText('خبر نخست').waitFor();
  await pane.getByText(en.threads.none).waitFor();
  await sound(his);
  const field = pane.getByRole('textbox', { name: en.threads.write });
  await field.fill('What good news!');
  await field.press('Enter');
  await pane.getByText('What good news!').waitFor();
  if (process.env.KEEP_PICTURES) await his.page.screenshot({ path: 'e2e/pictures/comments.png' });

  // The post counts it; its author reads it and answers.
  const count = hers.message('خبر نخست').getByRole('button', { name: fa.threads.count(1) });
  await count.waitFor();
  if (process.env.KEEP_PICTURES) await hers.page.screenshot({ path: 'e2e/pictures/comments-post.png' });
  await count.click();
  const panel = hers.page.getByRole('region', { name: fa.threads.title });
  await panel.getByText('What good news!').waitFor();
  await sound(hers);
  await panel.getByRole('button', { name: new RegExp(`^${fa.chat.reply}: John`) }).click();
  const answer = panel.getByRole('textbox', { name: fa.threads.write });
  await answer.fill('سپاس');
  await answer.press('Enter');
  await pane.getByText('سپاس').waitFor();
  await eventually(async () => expect(await his.page.evaluate(() => location.hash)).toMatch(/^#\/thread\//));
  await panel.getByRole('button', { name: fa.common.back }).click();
  await hers.message('خبر نخست').getByRole('button', { name: fa.threads.count(2) }).waitFor();

  const phone = await device({ size: 'phone' });
  await phone.signIn(mina.person.handle);
  await phone.main.open('بامداد');
  await phone.main.message('خبر نخست').getByRole('button', { name: fa.threads.count(2) }).click();
  const small = phone.page.getByRole('region', { name: fa.threads.title });
  await small.getByText('سپاس').waitFor();
  if (process.env.KEEP_PICTURES) await phone.page.screenshot({ path: 'e2e/pictures/comments-phone.png' });
});
