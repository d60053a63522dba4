import { expect, test } from 'vitest';
import { Person } from './support/people';
import { eventually, somebody, url } from './support/stage';

test('the list of devices comes late, and no button of the settings moves from under the finger', async () => {
  const { device } = await somebody('رها');
  const { page, main, words } = device;
  // The answer to one question is kept back.
  let release = (): void => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await page.routeWebSocket(/\/ws$/, (route) => {
    const server = route.connectToServer();
    const held = new Set<number>();
    route.onMessage((frame) => {
      const { id, method } = JSON.parse(String(frame)) as { id: number; method: string };
      if (method === 'get_devices') held.add(id);
      server.send(frame);
    });
    server.onMessage((frame) => {
      const { id } = JSON.parse(String(frame)) as { id?: number };
      if (id !== undefined && held.has(id)) void released.then(() => route.send(frame));
      else route.send(frame);
    });
  });
  await device.visit('#/settings');
  await page.reload();
  const shortcuts = page.getByRole('button', { name: words.settings.shortcuts });
  await shortcuts.scrollIntoViewIfNeeded();
  await page.getByRole('region', { name: words.settings.devices }).getByText(words.common.loading).waitFor();
  const before = (await shortcuts.boundingBox())!;
  await page.mouse.move(before.x + before.width / 2, before.y + before.height / 2);
  await page.mouse.down();
  release();
  await page.getByText(words.settings.thisDevice, { exact: true }).waitFor();
  await page.mouse.up();
  await main.dialog(words.keys.title).waitFor();
});

test('a language that is chosen changes the words of a screen, and neither its place nor who has the keyboard', async () => {
  const { device } = await somebody('رها');
  const { page, words } = device;
  await device.visit('#/settings');
  await page.getByText(words.settings.thisDevice, { exact: true }).waitFor();
  await page.locator('.own-name').fill('رهایی');
  const english = page.getByRole('radio', { name: 'English' });
  await english.focus();
  await english.press('Space');
  await eventually(async () => expect(await page.evaluate(() => document.documentElement.lang)).toBe('en'));
  await page.waitForTimeout(300);
  expect(await page.locator('.own-name').inputValue()).toBe('رهایی');
  expect(await english.evaluate((radio) => radio === document.activeElement)).toBe(true);
});

test('the readers of a channel are asked for once, not again at each post', async () => {
  const { device, person } = await somebody('سردبیر');
  const { page, main, words } = device;
  const reader = await Person.register(url(), 'سارا');
  const news = await person.create('channel', 'خبرها', [reader]);
  let asked = 0;
  page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => (asked += String(payload).includes('"get_members"') ? 1 : 0)));
  await page.reload();
  await main.open('خبرها');
  await page.locator('section.chat header .who').click();
  await main.info.getByText(words.members.title, { exact: true }).waitFor();
  await main.info.getByText('سارا').first().waitFor();
  for (let at = 1; at <= 5; at++) {
    await person.say(news, `خبر ${at}`);
    await main.message(`خبر ${at}`).waitFor();
  }
  expect(asked).toBe(1);
});
