import { expect, test } from 'vitest';
import { eventually, somebody } from './support/stage';
import { WORDS } from './support/words';

const fa = WORDS.fa;

/** Two people with a chat between them open on both screens. */
async function twoInAChat() {
  const [mina, john] = [await somebody('مینا احمدی'), await somebody('John Appleseed', { language: 'en' })];
  await mina.person.direct(john.person);
  const [hers, his] = [mina.device.main, john.device.main];
  await hers.open('John Appleseed');
  await his.open('مینا احمدی');
  return { mina, john, hers, his };
}

test('each sees what the other writes, and the marks say that it was sent and read', async () => {
  const { john, hers, his } = await twoInAChat();
  // He looks elsewhere: what she writes is sent, and not read.
  await john.device.visit('#/settings');
  await hers.say('سلام، خوبی؟');
  await hers.mark('سلام، خوبی؟', 'sent').waitFor();
  await his.row('مینا احمدی').getByText('1', { exact: true }).waitFor();

  await his.open('مینا احمدی');
  await his.message('سلام، خوبی؟').waitFor();
  await hers.mark('سلام، خوبی؟', 'read').waitFor();

  await his.say('Fine, thank you!');
  await hers.message('Fine, thank you!').waitFor();
  await his.mark('Fine, thank you!', 'read').waitFor();
  expect(await hers.texts()).toEqual(['سلام، خوبی؟', 'Fine, thank you!']);
  expect(await his.texts()).toEqual(['سلام، خوبی؟', 'Fine, thank you!']);
});

test('an edit, a reaction, a reply and a delete reach the other', async () => {
  const { hers, his } = await twoInAChat();
  await hers.say('ساعت ۷ می‌آیم');
  await his.message('ساعت ۷ می‌آیم').waitFor();

  await hers.act('ساعت ۷ می‌آیم', fa.common.edit);
  await hers.composer.fill('ساعت ۸ می‌آیم');
  await hers.composer.press('Enter');
  await his.message('ساعت ۸ می‌آیم').getByText(WORDS.en.chat.edited, { exact: true }).waitFor();
  await eventually(async () => expect(await his.texts()).toEqual(['ساعت ۸ می‌آیم']));

  await his.act('ساعت ۸ می‌آیم', WORDS.en.chat.reactWith('🌹'));
  const reaction = hers.message('ساعت ۸ می‌آیم').getByRole('button', { name: fa.chat.reactions('🌹', 1) });
  await reaction.waitFor();
  // A second press takes one's own back, and not the other's.
  await reaction.click();
  await his.message('ساعت ۸ می‌آیم').getByRole('button', { name: WORDS.en.chat.reactions('🌹', 2) }).waitFor();
  await reaction.or(hers.message('ساعت ۸ می‌آیم').getByRole('button', { name: fa.chat.reactions('🌹', 2) })).click();
  await his.message('ساعت ۸ می‌آیم').getByRole('button', { name: WORDS.en.chat.reactions('🌹', 1) }).waitFor();

  await his.act('ساعت ۸ می‌آیم', WORDS.en.chat.reply);
  await his.say('Good, I will be there');
  const answer = hers.message('Good, I will be there');
  await answer.getByRole('button', { name: 'ساعت ۸ می‌آیم' }).waitFor();

  await hers.act('ساعت ۸ می‌آیم', fa.common.delete);
  await hers.dialog(fa.chat.deleteQuestion(1)).getByRole('button', { name: fa.deletion.forAll, exact: true }).click();
  await his.message(WORDS.en.chat.deleted).first().waitFor();
  await eventually(async () => {
    const [gone, kept] = await his.texts();
    expect([gone?.trim(), kept]).toEqual([WORDS.en.chat.deleted, 'Good, I will be there']);
  });
  // The answer no longer says what was taken back.
  await answer.getByRole('button', { name: fa.chat.deleted }).waitFor();
});

test('typing and presence are said in words', async () => {
  const { mina, hers, his } = await twoInAChat();
  await his.standing.getByText(WORDS.en.presence.online, { exact: true }).waitFor();
  await hers.composer.pressSequentially('در حال نو');
  await his.standing.getByText(WORDS.en.presence.typing, { exact: true }).waitFor();
  await his.row('مینا احمدی').getByText(WORDS.en.presence.typing, { exact: true }).waitFor();
  await hers.composer.press('Enter');
  await his.standing.getByText(WORDS.en.presence.online, { exact: true }).waitFor();
  await mina.device.close();
  await his.standing.getByText(WORDS.en.presence.seenNow, { exact: true }).waitFor();
});

test('Persian, English and mixed text each stand in their own direction', async () => {
  const { hers, his } = await twoInAChat();
  const text = 'سلام John، شماره‌اش 4821-IR است\n@reza خبر دارد\nThe meeting is at ۷:۳۰\n🙂';
  await hers.composer.fill(text);
  await hers.composer.press('Enter');
  for (const tab of [hers, his]) {
    await tab.message('4821-IR').waitFor();
    const paragraphs = tab.message('4821-IR').locator('.content p');
    const directions = await paragraphs.evaluateAll((all) => all.map((each) => getComputedStyle(each).direction));
    // The last one has no letters: it follows the language of the reader.
    expect(directions.slice(0, 3)).toEqual(['rtl', 'rtl', 'ltr']);
    // The bubble's text is what was written, to the letter: nothing that steers direction was put into it.
    expect(await paragraphs.allInnerTexts()).toEqual(text.split('\n'));
  }
  // Persian stands at the right, English at the left: where the first letter is drawn.
  const edges = await hers.message('4821-IR').locator('.content p').evaluateAll((all) =>
    all.slice(0, 3).map((each) => {
      const range = document.createRange();
      range.selectNodeContents(each);
      const [outer, inner] = [each.getBoundingClientRect(), range.getClientRects()];
      const left = Math.min(...[...inner].map((box) => box.left)) - outer.left;
      const right = outer.right - Math.max(...[...inner].map((box) => box.right));
      return right < 1 ? (left < 1 ? 'both' : 'right') : left < 1 ? 'left' : 'none';
    }),
  );
  expect(edges.map((edge, at) => edge === 'both' || edge === ['right', 'right', 'left'][at])).toEqual([true, true, true]);
  expect(await hers.page.locator('html').getAttribute('dir')).toBe('rtl');
  expect(await his.page.locator('html').getAttribute('dir')).toBe('ltr');
});
