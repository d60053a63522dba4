import { expect, test } from 'vitest';
import { handle, PASSWORD, Person } from './support/people';
import { device, url } from './support/stage';
import { WORDS } from './support/words';

const { fa } = WORDS;

test('one thing at a time, each said when it is wrong; Back leads to the step before; a name that is taken is asked for again', async () => {
  const taken = await Person.register(url(), 'سارا');
  const hers = await device({ size: 'phone' });
  const { page } = hers;
  await hers.visit();
  const next = page.getByRole('button', { name: fa.auth.next, exact: true });
  // Pressed too early it says what is missing.
  await next.click();
  await page.getByRole('alert').getByText(fa.errors.bad_title).waitFor();
  await page.locator('#name').fill('مینا احمدی');
  await next.click();

  await page.getByRole('heading', { name: fa.auth.handleAsk }).waitFor();
  await page.getByText(fa.auth.handleWhy).waitFor();
  expect(await page.locator('#handle').evaluate((element) => element === document.activeElement)).toBe(true);
  await page.locator('#handle').fill('مینا');
  await next.click();
  await page.getByRole('alert').getByText(fa.errors.bad_handle).waitFor();
  await page.locator('#handle').fill(`@${taken.handle}`);
  await next.click();

  await page.getByRole('heading', { name: fa.auth.passwordAsk }).waitFor();
  // The phone's own Back.
  await page.goBack();
  await page.getByRole('heading', { name: fa.auth.handleAsk }).waitFor();
  await page.getByRole('button', { name: fa.common.back, exact: true }).click();
  expect(await page.locator('#name').inputValue()).toBe('مینا احمدی');
  await page.locator('#name').press('Enter');
  await page.locator('#handle').press('Enter');
  await page.locator('#password').fill('short');
  await page.locator('#password').press('Enter');
  await page.getByRole('alert').getByText(fa.errors.bad_password).waitFor();
  await page.locator('#password').fill(PASSWORD);
  // What keeps passwords finds the name beside it.
  expect(await page.locator('input[autocomplete=username]').inputValue()).toBe(taken.handle);
  await page.getByRole('button', { name: fa.auth.signUp, exact: true }).click();

  await page.getByRole('alert').getByText(fa.errors.handle_taken).waitFor();
  const free = handle('mina');
  await page.locator('#handle').fill(free);
  await page.locator('#handle').press('Enter');
  expect(await page.locator('#password').inputValue()).toBe(PASSWORD);
  await page.locator('#password').press('Enter');
  await hers.main.list.waitFor();
  // Back is the app's again, and leads to no step.
  await hers.visit('#/settings');
  await page.getByText(`@${free}`).waitFor();
});

test('an address that leads to a chat is still there when the account is made or signed in to', async () => {
  const hers = await device();
  await hers.visit('#/settings');
  for (const [field, value] of [['#name', 'مینا'], ['#handle', handle('mina')], ['#password', PASSWORD]] as const) {
    await hers.page.locator(field).fill(value);
    await hers.page.locator(field).press('Enter');
  }
  await hers.page.getByRole('heading', { name: fa.settings.title }).waitFor();
});
