import { expect, test } from 'vitest';
import type { Device } from './support/browser';
import { somebody } from './support/stage';
import { WORDS } from './support/words';

const { fa } = WORDS;

/** A finger that comes down in the middle of something and stays until it is told to go up. */
async function press(device: Device, at: { x: number; y: number }): Promise<() => Promise<unknown>> {
  const cdp = await device.context.newCDPSession(device.page);
  await cdp.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [at] });
  return () => cdp.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
}

test('the message stands above what can be done with it, all of it on the screen; the finger that goes up chooses nothing', async () => {
  const [mina, sara] = [await somebody('مینا', { size: 'phone' }), await somebody('سارا')];
  const chat = await mina.person.direct(sara.person);
  await sara.person.say(chat, 'بلیت شنبه را گرفتم');
  const long = 'یک پیام بسیار دراز که از صفحه بلندتر است. '.repeat(60);
  await sara.person.say(chat, long);
  const [hers, page] = [mina.device.main, mina.device.page];
  await hers.open('سارا');

  for (const text of ['بلیت شنبه را گرفتم', 'یک پیام بسیار دراز']) {
    const bubble = hers.message(text).locator('.bubble');
    await hers.message(text).evaluate((element) => element.scrollIntoView({ block: 'end' }));
    const from = (await bubble.boundingBox())!;
    const up = await press(mina.device, { x: from.x + from.width / 2, y: Math.max(from.y, 80) + 20 });
    await page.getByRole('menu').waitFor();
    await up();
    const lifted = page.locator('dialog .lifted');
    await lifted.evaluate((element) => Promise.all(element.getAnimations({ subtree: true }).map((each) => each.finished)));
    await page.getByRole('menu').evaluate((element) => Promise.all(element.getAnimations({ subtree: true }).map((each) => each.finished)));
    const [top, quick, rows] = [(await lifted.boundingBox())!, (await page.locator('dialog .quick').boundingBox())!, (await page.locator('dialog .rows').boundingBox())!];
    expect(quick.y).toBeGreaterThanOrEqual(0);
    expect(top.y).toBeGreaterThanOrEqual(quick.y + quick.height);
    expect(rows.y).toBeGreaterThanOrEqual(top.y + top.height);
    expect(rows.y + rows.height).toBeLessThanOrEqual(740);
    expect(await lifted.innerText()).toContain(text);
    // It is not seen twice, nor heard twice.
    expect(await bubble.evaluate((element) => getComputedStyle(element).visibility)).toBe('hidden');
    expect(await lifted.getAttribute('aria-hidden')).toBe('true');
    await page.getByRole('menu').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('menu').waitFor({ state: 'detached' });
    expect(await bubble.evaluate((element) => getComputedStyle(element).visibility)).toBe('visible');
  }

  await hers.message('بلیت شنبه را گرفتم').evaluate((element) => element.scrollIntoView({ block: 'end' }));
  const from = (await hers.message('بلیت شنبه را گرفتم').locator('.bubble').boundingBox())!;
  const up = await press(mina.device, { x: from.x + from.width / 2, y: from.y + from.height / 2 });
  await page.getByRole('menu').waitFor();
  await up();
  await hers.menuItem(fa.chat.reply).tap();
  await page.locator('.composer .about').getByText(fa.chat.replyingTo('سارا')).waitFor();
  await hers.say('ممنون');
  await sara.device.main.row('مینا').getByText('ممنون').waitFor();
});

test('under a mouse, reply and reaction stand beside the message, and nothing is dimmed', async () => {
  const [mina, sara] = [await somebody('مینا'), await somebody('سارا')];
  const chat = await mina.person.direct(sara.person);
  await sara.person.say(chat, 'بلیت شنبه را گرفتم');
  const [hers, page] = [mina.device.main, mina.device.page];
  await hers.open('سارا');
  await hers.message('بلیت شنبه را گرفتم').locator('.content').hover();
  const tools = page.locator('.frame .tools');
  const [bubble, beside] = [(await hers.message('بلیت شنبه را گرفتم').locator('.bubble').boundingBox())!, (await tools.boundingBox())!];
  expect(beside.x + beside.width <= bubble.x || beside.x >= bubble.x + bubble.width).toBe(true);
  await tools.getByRole('button', { name: fa.chat.react }).click();
  await hers.menuItem(fa.chat.reactWith('👍')).click();
  await hers.message('بلیت شنبه را گرفتم').getByRole('button', { name: fa.chat.reactions('👍', 1) }).waitFor();
  await hers.message('بلیت شنبه را گرفتم').locator('.content').hover();
  await tools.getByRole('button', { name: fa.chat.reply, exact: true }).click();
  await page.locator('.composer .about').getByText(fa.chat.replyingTo('سارا')).waitFor();
});
