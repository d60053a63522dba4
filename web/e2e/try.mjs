// Two people in two browsers: what the end-to-end tests will ask in earnest.
import { device, launch, openChat, signUp } from './support/browser.mjs';
import { Server } from './support/server.mjs';

const server = await Server.start('--messages-per-second', '5000');
const browser = await launch();
const ok = (what, good, more = '') => console.log(good ? 'ok  ' : 'FAIL', what, more);
try {
  const a = await device(browser, server);
  const b = await device(browser, server, { language: 'en' });
  await signUp(a.page, server, 'laleh', 'لاله');
  await signUp(b.page, server, 'bob', 'Bob');
  // direct by handle
  await a.page.getByRole('button', { name: 'گفت‌وگوی تازه' }).first().click();
  await a.page.locator('#new-handle').fill('@Bob');
  await a.page.getByRole('button', { name: 'باز کردن' }).click();
  const input = a.page.locator('textarea');
  await input.waitFor();
  await b.page.getByRole('link', { name: /لاله/ }).waitFor();
  await input.fill('سلام **باب**');
  const t0 = Date.now();
  await a.page.keyboard.press('Enter');
  await a.page.locator('.message').first().waitFor();
  const own = Date.now() - t0;
  await b.page.getByRole('link', { name: /سلام باب/ }).waitFor();
  ok('arrives', true, `own ${own} ms, other ${Date.now() - t0} ms`);
  await openChat(b.page, /لاله/);
  ok('bold', (await b.page.locator('.message .bold').innerText()) === 'باب');
  await a.page.locator('.mark.read').waitFor({ timeout: 5000 });
  ok('read mark', true);
  await b.page.locator('textarea').fill('hello');
  await a.page.getByText('می‌نویسد…').first().waitFor({ timeout: 5000 }).then(() => ok('typing', true), () => ok('typing', false));
  await b.page.keyboard.press('Enter');
  await a.page.locator('.message').nth(1).waitFor();
  // reply by keyboard
  await a.page.locator('.message').nth(1).focus();
  await a.page.keyboard.press('r');
  await a.page.locator('.about').waitFor();
  await a.page.keyboard.type('جواب');
  await a.page.keyboard.press('Enter');
  await b.page.locator('.quote').waitFor();
  ok('reply', true);
  // edit last
  await a.page.keyboard.press('ArrowUp');
  await a.page.waitForTimeout(100);
  ok('edit text', (await input.inputValue()) === 'جواب', await input.inputValue());
  await input.fill('جواب تازه');
  await a.page.keyboard.press('Enter');
  await b.page.getByText('edited').waitFor();
  ok('edit', true);
  ok('composer empty after edit', (await input.inputValue()) === '', await input.inputValue());
  // react
  await b.page.locator('.message').last().click({ button: 'right' });
  await b.page.getByRole('menuitem', { name: /❤️/ }).click();
  await a.page.locator('.reaction').waitFor();
  ok('reaction', true);
  // delete
  await a.page.locator('.message').last().focus();
  await a.page.keyboard.press('Delete');
  await a.page.getByRole('dialog').getByRole('button', { name: 'حذف' }).click();
  await b.page.getByText('This message was deleted').first().waitFor();
  ok('delete', true);
  ok('dialog gone', (await a.page.getByRole('dialog').count()) === 0);
  // draft survives switching and reload
  await input.fill('پیش‌نویس من');
  await a.page.waitForTimeout(600);
  await a.page.reload();
  await input.waitFor();
  ok('draft after reload', (await input.inputValue()) === 'پیش‌نویس من', await input.inputValue());
  ok('chat after reload', (await a.page.locator('.message').count()) === 3, String(await a.page.locator('.message').count()));
  await input.fill('');
  // Esc and Back
  await a.page.keyboard.press('Escape');
  ok('esc leaves chat', new URL(a.page.url()).hash === '#/', a.page.url());
  await openChat(a.page, /Bob/);
  await a.page.locator('button.who').click();
  await a.page.getByRole('dialog').waitFor();
  await a.page.goBack();
  await a.page.getByRole('dialog').waitFor({ state: 'detached', timeout: 3000 });
  ok('back closes dialog only', new URL(a.page.url()).hash.startsWith('#/chat/'), a.page.url());
  await a.page.goBack();
  await a.page.waitForTimeout(200);
  ok('back to list', ['#/', ''].includes(new URL(a.page.url()).hash), a.page.url());
  // offline
  await a.page.waitForFunction(() => navigator.serviceWorker.controller !== null || navigator.serviceWorker.ready.then(() => true));
  await a.page.waitForTimeout(1000);
  await openChat(a.page, /Bob/);
  await server.stop();
  await a.page.getByText('شبکه نیست').first().waitFor({ timeout: 15000 }).then(() => ok('says offline', true), () => ok('says offline', false));
  await input.fill('در نبود شبکه');
  await a.page.keyboard.press('Enter');
  await a.page.locator('.mark.waiting').waitFor();
  ok('queues', true);
  await a.context.setOffline(true);
  await a.page.reload();
  await a.page.locator('.mark.waiting').waitFor({ timeout: 8000 }).then(() => ok('opens offline with queue', true), () => ok('opens offline with queue', false));
  await a.page.screenshot({ path: '/tmp/shots/offline.png' });
  await a.context.setOffline(false);
  await server.start('--messages-per-second', '5000');
  await b.page.getByText('در نبود شبکه').first().waitFor({ timeout: 30000 });
  ok('delivered after', true);
  await a.page.locator('.mark.waiting').waitFor({ state: 'detached', timeout: 10000 });
  ok('once', (await b.page.locator('.message', { hasText: 'در نبود شبکه' }).count()) === 1);
  for (const [who, it] of [['a', a], ['b', b]]) {
    ok(`${who} no foreign requests`, it.foreign.length === 0, it.foreign.join());
    ok(`${who} no faults`, it.faults.length === 0, it.faults.join('\n'));
  }
} catch (error) {
  console.log('FAIL', String(error).slice(0, 600));
  for (const context of browser.contexts()) for (const page of context.pages()) await page.screenshot({ path: `/tmp/shots/fail-${browser.contexts().indexOf(context)}.png` });
} finally {
  await browser.close();
  await server.close();
}
