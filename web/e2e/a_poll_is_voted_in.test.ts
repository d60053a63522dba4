import type { Locator } from 'playwright-core';
import { expect, test } from 'vitest';
import { sound } from './support/axe';
import type { Tab } from './support/browser';
import { eventually, somebody } from './support/stage';

const poll = ({ history }: Tab): Locator => history.locator('li.message .poll').last();

async function begin(tab: Tab): Promise<Locator> {
  await tab.page.getByRole('button', { name: tab.words.media.attach, exact: true }).click();
  await tab.menuItem(tab.words.media.poll).click();
  const dialog = tab.dialog(tab.words.polls.newPoll);
  await dialog.waitFor();
  return dialog;
}

test('two people vote, one by keyboard, and both see how it stands', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en', size: 'phone', theme: 'dark' });
  const chat = await mina.person.create('group', 'کاروان', [john.person]);
  const [hers, his] = [mina.device.main, john.device.main];
  await hers.open('کاروان');
  const dialog = await begin(hers);
  const words = hers.words.polls;
  await dialog.getByRole('textbox', { name: words.question }).fill('چای یا قهوه؟');
  await hers.page.keyboard.press('Tab');
  // Enter goes on to the next option, and there is always one more.
  for (const option of ['چای', 'قهوه', 'آب']) {
    await hers.page.keyboard.type(option);
    await hers.page.keyboard.press('Enter');
  }
  await dialog.getByRole('switch', { name: words.setPublic }).check();
  await sound(hers);
  await dialog.getByRole('button', { name: hers.words.chat.send, exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  await poll(hers).getByText(words.public).waitFor();

  await his.open('کاروان');
  const there = his.words.polls;
  await poll(his).getByText(there.nobody).waitFor();
  await sound(his);
  const tea = poll(his).getByRole('button', { name: 'چای' });
  expect((await tea.boundingBox())?.height).toBeGreaterThanOrEqual(44);
  await tea.focus();
  await his.page.keyboard.press('Enter');
  await poll(his).getByRole('listitem').filter({ hasText: there.mine }).filter({ hasText: 'چای' }).waitFor();
  // It is heard as well.
  await eventually(async () => expect(await poll(his).getByRole('status').textContent()).toContain(there.voted));
  await poll(hers).getByText(words.voters(1)).waitFor();
  expect(await poll(hers).getByRole('listitem').count()).toBe(0);
  await poll(hers).getByRole('button', { name: 'قهوه' }).click();
  for (const [tab, of] of [[hers, words], [his, there]] as const) {
    await poll(tab).getByText(of.voters(2), { exact: true }).waitFor();
    await poll(tab).getByRole('listitem').getByText(of.heard('چای', 50, 1)).waitFor();
    await sound(tab);
  }

  // Who has chosen what: here everybody may know.
  await poll(his).getByRole('button', { name: there.who }).click();
  const voters = his.dialog(there.who);
  await voters.getByText('مینا').waitFor();
  await sound(his);
  await his.page.keyboard.press('Escape');

  // He takes it back, and chooses anew.
  await poll(his).getByRole('button', { name: there.takeBack }).click();
  await poll(his).getByRole('button', { name: 'آب' }).click();
  await poll(hers).getByRole('listitem').getByText(words.heard('آب', 50, 1)).waitFor();

  // After a reload one still knows what one has chosen.
  await his.page.reload();
  await poll(his).getByRole('listitem').filter({ hasText: there.mine }).filter({ hasText: 'آب' }).waitFor();

  await hers.act('چای یا قهوه؟', hers.words.chat.closePoll);
  await hers.page.getByRole('button', { name: hers.words.chat.closePoll, exact: true }).click();
  await poll(his).getByText(there.over).waitFor();
  expect(await poll(his).getByRole('button', { name: there.takeBack }).count()).toBe(0);
  const { messages } = await mina.person.call<{ messages: { body: Record<string, unknown> }[] }>('history', { chat_id: chat, seq: 1, before: 0, after: 50 });
  const body = messages.map((it) => it.body).find((it) => it['kind'] === 'poll');
  expect(body).toMatchObject({ closed: true, voters: 2, options: [{ text: 'چای' }, { text: 'قهوه', votes: 1 }, { text: 'آب', votes: 1 }] });
});

test('a quiz says what is right to whoever has answered', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en' });
  await mina.person.create('group', 'آموزش', [john.person]);
  const [hers, his] = [mina.device.main, john.device.main];
  await hers.open('آموزش');
  const dialog = await begin(hers);
  const words = hers.words.polls;
  await dialog.getByRole('textbox', { name: words.question }).fill('۲ و ۲؟');
  await dialog.getByRole('textbox', { name: words.option('۱') }).fill('۳');
  await dialog.getByRole('textbox', { name: words.option('۲') }).fill('۴');
  await dialog.getByRole('switch', { name: words.setQuiz }).check();
  const quiz = hers.dialog(words.newQuiz);
  await quiz.getByText(words.noRight).waitFor();
  expect(await quiz.getByRole('button', { name: hers.words.chat.send, exact: true }).isDisabled()).toBe(true);
  await quiz.getByRole('radio', { name: words.markRight('۲') }).check();
  await quiz.getByRole('textbox', { name: words.explanation }).fill('دو تا دو تا');
  await sound(hers);
  await quiz.getByRole('button', { name: hers.words.chat.send, exact: true }).click();

  await his.open('آموزش');
  expect(await poll(his).getByText('دو تا دو تا').count()).toBe(0);
  await poll(his).getByRole('button', { name: '۳' }).click();
  await poll(his).getByText('دو تا دو تا').waitFor();
  await poll(his).getByRole('listitem').filter({ hasText: his.words.polls.isRight }).filter({ hasText: '۴' }).waitFor();
  await eventually(async () => expect(await poll(his).getByRole('status').textContent()).toContain(his.words.polls.wrong));
  expect(await poll(his).getByRole('button', { name: his.words.polls.takeBack }).count()).toBe(0);
  await sound(his);
});
