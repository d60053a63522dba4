import { expect, test } from 'vitest';
import { Person, handle } from './support/people';
import { somebody, url } from './support/stage';

test('of two whose names look alike one sees who is who: in the list, above the chat, among members, beside what they wrote', async () => {
  const { device, person: me } = await somebody('رها');
  const { main, page } = device;
  const real = await Person.register(url(), 'Ann Reed', handle('ann'));
  // With a Cyrillic first letter.
  const false_ = await Person.register(url(), 'Аnn Reed', handle('not_ann'));
  const other = await Person.register(url(), 'نیما', handle('nima'));
  for (const each of [real, false_, other]) await each.say(await each.direct(me), 'سلام');
  const rows = main.list.getByRole('link');
  await rows.filter({ hasText: `@${real.handle}` }).waitFor();
  await rows.filter({ hasText: `@${false_.handle}` }).waitFor();
  await main.row('نیما').waitFor();
  expect(await main.row('نیما').innerText()).not.toContain('@');

  await rows.filter({ hasText: `@${false_.handle}` }).click();
  await main.standing.filter({ hasText: `@${false_.handle}` }).waitFor();
  await main.row('نیما').click();
  await page.getByRole('heading', { name: 'نیما', exact: true }).first().waitFor();
  expect(await main.standing.allInnerTexts()).not.toContain(`@${other.handle}`);

  const group = await me.create('group', 'سفر', [real, false_, other]);
  for (const each of [real, false_, other]) await each.say(group, `از ${each.handle}`);
  await main.open('سفر');
  for (const each of [real, false_]) await main.message(`از ${each.handle}`).locator('.name').filter({ hasText: `@${each.handle}` }).waitFor();
  expect(await main.message(`از ${other.handle}`).locator('.name').innerText()).toBe('نیما');
  await page.locator('section.chat header .who').click();
  for (const each of [real, false_]) await main.info.getByText(`@${each.handle}`, { exact: true }).waitFor();
  expect(await main.info.getByText(`@${other.handle}`).count()).toBe(0);
});

test('a stranger who bears the name of somebody one knows stands there with the handle', async () => {
  const { device, person: me } = await somebody('رها');
  const { main, page, words } = device;
  const friend = await Person.register(url(), 'علی کریمی', handle('ali'));
  await friend.say(await friend.direct(me), 'سلام');
  const stranger = await Person.register(url(), 'علي كريمي', handle('stranger'));
  await stranger.finds(me);
  const { chat } = await stranger.call<{ chat: { id: number } }>('open_direct', { user_id: me.id });
  await stranger.say(chat.id, 'پول لازم دارم');
  await main.list.getByText(words.list.requests, { exact: true }).click();
  await page.locator('.pane').getByText(`@${stranger.handle}`).click();
  await main.standing.filter({ hasText: `@${stranger.handle}` }).waitFor();
  await main.row('علی کریمی').filter({ hasText: `@${friend.handle}` }).waitFor();
});
