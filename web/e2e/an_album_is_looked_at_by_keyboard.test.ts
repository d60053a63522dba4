import { expect, test } from 'vitest';
import { attach, loaded, picture, send, sheet } from './support/files';
import { eventually, somebody } from './support/stage';

test('four pictures stand together, in the chosen order, and are looked at, enlarged and saved by keyboard', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en' });
  await mina.person.direct(john.person);
  const [hers, his] = [mina.device.main, john.device.main];
  await hers.open('John');
  await his.open('مینا');
  await attach(hers, picture('1.png', 450, 300), picture('2.png', 300, 450), picture('3.png', 400, 400), picture('4.png', 600, 250));
  const dialog = sheet(hers, 4);
  // The last one is to be the first, and one is covered.
  for (let step = 0; step < 3; step++) await dialog.getByRole('button', { name: hers.words.media.earlier('4.png'), exact: true }).click();
  await dialog.getByRole('button', { name: hers.words.media.spoiler('2.png'), exact: true }).click();
  await dialog.getByRole('textbox', { name: hers.words.media.caption }).fill('سفر');
  await send(hers, 4);

  await his.message('سفر').waitFor();
  expect(await his.history.locator('li.message').count()).toBe(1);
  expect(await his.history.locator('.album .cell').count()).toBe(4);
  await eventually(async () => expect(await loaded(his)).toBe(4));
  // They have come in one change: nobody ever saw half of it.
  const rows = await john.person.call<{ messages: { body: { kind: string; album?: string; width: number } }[] }>('history', { chat_id: await mina.person.direct(john.person), seq: 1, before: 0, after: 50 });
  const photos = rows.messages.map(({ body }) => body).filter(({ kind }) => kind === 'photo');
  expect(photos.map(({ width }) => width)).toEqual([600, 450, 300, 400]);
  expect(new Set(photos.map(({ album }) => album)).size).toBe(1);

  // Covered, until it is touched.
  const words = his.words.media;
  const covered = his.history.getByRole('button', { name: words.hidden });
  await covered.click();
  await eventually(async () => expect(await covered.count()).toBe(0));

  await his.history.locator('.album').getByRole('button', { name: words.open(his.words.media.photo) }).first().press('Enter');
  const viewer = his.page.getByRole('dialog', { name: words.viewer });
  await viewer.getByText(words.ofAll('1', '4')).waitFor();
  await eventually(async () => expect(await viewer.locator('img.loaded').count()).toBe(1));
  for (const [key, at] of [['ArrowRight', '2'], ['ArrowRight', '3'], ['ArrowLeft', '2'], ['PageDown', '3'], ['PageDown', '4'], ['PageDown', '4']] as const) {
    await his.page.keyboard.press(key);
    await viewer.getByText(words.ofAll(at, '4')).waitFor();
  }
  await his.page.keyboard.press('+');
  await eventually(async () => expect(await viewer.locator('.picture').getAttribute('style')).toContain('scale(1.6)'));
  await his.page.keyboard.press('0');
  const [download] = await Promise.all([his.page.waitForEvent('download'), his.page.keyboard.press('s')]);
  expect(download.suggestedFilename()).toMatch(/\.(jpg|png)$/);
  await his.page.keyboard.press('Escape');
  await viewer.waitFor({ state: 'detached' });
  // The keyboard is back where it was.
  expect(await his.page.evaluate(() => document.activeElement?.className.includes('open'))).toBe(true);

  // Whoever selects it selects all of it.
  await hers.message('سفر').locator('.content').click({ button: 'right', position: { x: 8, y: 8 } });
  await hers.menuItem(hers.words.chat.select).click();
  await hers.page.getByRole('heading', { name: hers.words.chat.selected(4) }).waitFor();
  await hers.page.keyboard.press('Escape');

  // Whoever deletes it deletes all of it.
  await hers.message('سفر').locator('.content').click({ button: 'right', position: { x: 8, y: 8 } });
  await hers.menuItem(hers.words.common.delete).click();
  await hers.page.getByRole('dialog').getByRole('button', { name: hers.words.deletion.forAll, exact: true }).click();
  await eventually(async () => expect(await his.history.locator('.album').count()).toBe(0));
  await eventually(async () => expect(await his.history.locator('.tile').count()).toBe(0));
});
