// Every screen through axe-core: prints what it finds, and fails if there is anything. `node e2e/axe.mjs [filter]`
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { device, launch, openChat, signIn } from './support/browser.mjs';
import { seed } from './support/seed.mjs';
import { Server } from './support/server.mjs';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const filter = process.argv[2] ?? '';
const server = await Server.start();
const browser = await launch();
let found = 0;
try {
  const { chats } = await seed(server);
  for (const [language, theme, size] of [
    ['fa', 'light', { width: 1280, height: 800 }],
    ['en', 'dark', { width: 360, height: 740 }],
    ['ar', 'light', { width: 768, height: 1024 }],
    ['fa', 'dark', { width: 1280, height: 800 }],
  ]) {
    const { context, page } = await device(browser, server, { language, theme, size, phone: size.width < 500 });
    const cdp = await context.newCDPSession(page);
    await cdp.send('Page.setBypassCSP', { enabled: true });
    const check = async (what) => {
      if (!what.includes(filter)) return;
      await page.waitForTimeout(350);
      await page.evaluate(source);
      const { violations } = await page.evaluate(() =>
        globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
      );
      for (const violation of violations) {
        found += 1;
        console.log(`${language} ${theme} ${what}: ${violation.id} (${violation.impact}) ${violation.help}`);
        for (const node of violation.nodes.slice(0, 3)) console.log('   ', node.target.join(' '), '|', node.html.slice(0, 160), '|', (node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? '');
      }
    };
    const go = async (hash) => {
      await page.goto(`${server.app}/${hash}`);
      await page.waitForTimeout(300);
    };
    await page.goto(server.app);
    await page.locator('#handle').waitFor();
    await check('sign-up');
    await signIn(page, server, 'mina');
    await page.getByRole('link').nth(4).waitFor();
    await check('list');
    await openChat(page, /سارا/);
    await check('chat');
    await page.locator('.message').last().click({ button: 'right' });
    await page.getByRole('menu').waitFor();
    await check('menu');
    await page.keyboard.press('Escape');
    await page.locator('.composer .icon-button').first().click();
    await page.locator('.picker .cell').first().waitFor();
    await check('emoji');
    await go(`#/chat/${chats.family}`);
    await page.locator('ol.opened').waitFor();
    await check('group');
    await page.locator('button.who').click();
    await page.getByRole('dialog').waitFor();
    await check('members');
    await page.getByRole('dialog').locator('button.row').first().click();
    await page.locator('td button.day').first().waitFor();
    await check('calendar');
    await go('#/settings');
    await page.locator('.settings').waitFor();
    await check('settings');
    await go('#/calls');
    await check('calls');
    await go('#/');
    await page.keyboard.press('Control+Shift+n');
    await page.getByRole('dialog').waitFor();
    await page.locator('.kinds button').nth(1).click();
    await check('new');
    await go('#/');
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    await check('shortcuts');
    await context.close();
  }
} finally {
  await browser.close();
  await server.close();
}
console.log(found === 0 ? 'axe: nothing found' : `axe: ${found} findings`);
process.exit(found === 0 ? 0 : 1);
