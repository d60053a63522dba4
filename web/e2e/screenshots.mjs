// Pictures of the screens at three sizes, in two languages and two themes. `node e2e/screenshots.mjs [folder] [filter]`
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { device, launch, openChat, signIn } from './support/browser.mjs';
import { seed } from './support/seed.mjs';
import { Server } from './support/server.mjs';

const folder = process.argv[2] ?? fileURLToPath(new URL('../screenshots', import.meta.url));
const filter = process.argv[3] ?? '';
mkdirSync(folder, { recursive: true });

const SIZES = {
  phone: { width: 360, height: 740 },
  tablet: { width: 768, height: 1024 },
  desktop: { width: 1280, height: 800 },
};
const server = await Server.start();
const browser = await launch();
try {
  const { chats } = await seed(server);
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const language of ['fa', 'en']) {
      for (const theme of ['light', 'dark']) {
        const name = `${size}-${language}-${theme}`;
        if (!name.includes(filter)) continue;
        const { context, page, faults, foreign } = await device(browser, server, { language, theme, size: viewport, phone: size === 'phone' });
        const shot = async (what) => {
          await page.waitForTimeout(250);
          await page.screenshot({ path: `${folder}/${what}-${name}.png` });
        };
        const go = async (hash) => {
          await page.goto(`${server.app}/${hash}`);
          await page.waitForTimeout(150);
        };
        await page.goto(server.app);
        await page.locator('#handle').waitFor();
        await shot('sign-up');
        await signIn(page, server, 'mina');
        await page.getByRole('link').nth(4).waitFor();
        await shot('list');
        await openChat(page, size === 'phone' ? /سارا/ : /سارا/);
        await page.locator('.message').last().waitFor();
        await shot('chat');
        if (size !== 'tablet') {
          await page.locator('.message').nth(1).click({ button: 'right', position: { x: 120, y: 20 } });
          await page.getByRole('menu').waitFor();
          await shot('menu');
          await page.keyboard.press('Escape');
          await page.locator('.composer .icon-button').first().click();
          await page.locator('.picker .cell').first().waitFor();
          await shot('emoji');
        }
        await go(`#/chat/${chats.family}`);
        await page.locator('section.chat ol.opened').waitFor();
        await shot('group');
        await page.locator('button.who').click();
        await page.getByRole('dialog').waitFor();
        await shot('members');
        await go('#/settings');
        await page.locator('.settings').waitFor();
        await shot('settings');
        await go('#/calls');
        await shot('calls');
        if (size !== 'tablet') {
          await go('#/');
          await page.keyboard.press('Control+Shift+n');
          await page.getByRole('dialog').waitFor();
          await page.locator('.kinds button').nth(1).click();
          await shot('new');
        }
        if (faults.length > 0) console.log(name, 'faults', faults);
        if (foreign.length > 0) console.log(name, 'foreign', foreign);
        await context.close();
        console.log(name);
      }
    }
  }
} finally {
  await browser.close();
  await server.close();
}
