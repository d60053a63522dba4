import { createServer, type Server as Web } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sound } from './support/axe';
import { picture } from './support/files';
import { Server } from './support/server';
import { device, eventually, somebody } from './support/stage';
import { WORDS } from './support/words';

const { fa, en } = WORDS;
let web: Web;
let server: Server;
/** Who asked the site, and for what. */
const asked: string[] = [];
let link = '';

beforeAll(async () => {
  const image = picture('a.png', 600, 320).buffer;
  web = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (request.url === '/a.png') {
      response.writeHead(200, { 'content-type': 'image/png', 'content-length': image.length }).end(image);
      return;
    }
    const head = '<meta property="og:site_name" content="روزنامهٔ بامداد"><meta property="og:description" content="بارش از عصر امروز در شمال کشور آغاز می‌شود."><meta property="og:image" content="/a.png">';
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(`<title>باران می‌آید</title>${head}`);
  });
  await new Promise<void>((done) => web.listen(0, '127.0.0.2', done));
  const { port } = web.address() as AddressInfo;
  link = `http://127.0.0.2:${port}`;
  server = await Server.start('--link-previews', 'true', '--link-preview-networks', '127.0.0.2/32', '--link-preview-ports', String(port));
});
afterAll(async () => {
  await server.close();
  web.close();
});

test('what stands behind a link is shown before it is sent, can be left out, and readers ask nobody but the server', async () => {
  const mina = await somebody('مینا', { at: server.url });
  const john = await somebody('John', { at: server.url, language: 'en' });
  await mina.person.direct(john.person);
  const hers = mina.device.main;
  await hers.open('John');
  const line = hers.page.getByRole('group', { name: fa.previews.title });
  await hers.composer.fill(`ببین ${link}/khabar`);
  await line.getByText('روزنامهٔ بامداد').waitFor();
  await line.getByText('باران می‌آید').waitFor();
  await sound(hers);
  await hers.page.getByRole('button', { name: fa.chat.send, exact: true }).click();
  await eventually(async () => expect(await line.count()).toBe(0));

  const his = john.device.main;
  await his.open('مینا');
  const card = his.message('ببین').getByRole('link', { name: /باران می‌آید/ });
  await card.waitFor();
  expect(await card.getAttribute('href')).toBe(`${link}/khabar`);
  expect(await card.getAttribute('rel')).toContain('noreferrer');
  await eventually(() => expect(card.locator('img').evaluate((it: HTMLImageElement) => it.complete && it.naturalWidth)).resolves.toBeGreaterThan(300));
  await sound(his);
  // His own phone, which was not there.
  const phone = await device({ at: server.url, size: 'phone', language: 'en' });
  await phone.signIn(john.person.handle);
  await phone.main.open('مینا');
  await phone.main.message('ببین').getByRole('link', { name: /باران می‌آید/ }).waitFor();
  expect(asked).toEqual(['/khabar', '/a.png']);

  // The cross leaves it out, and it does not come back by itself.
  await hers.composer.fill(`و ${link}/digar`);
  await line.waitFor();
  await line.getByRole('button', { name: fa.previews.leaveOut }).click();
  await hers.composer.fill(`و این ${link}/digar`);
  await hers.page.getByRole('button', { name: fa.chat.send, exact: true }).click();
  await his.message('و این').waitFor();
  expect(await his.message('و این').locator('.card').count()).toBe(0);

  // Whoever does not want the server to look is asked for nothing.
  const before = asked.length;
  await john.device.visit('#/settings');
  await his.page.getByRole('switch', { name: en.settings.linkPreviews }).click();
  await john.device.visit('');
  await his.open('مینا');
  await his.composer.fill(`${link}/quiet`);
  await his.page.waitForTimeout(1200);
  expect(await his.page.getByRole('group', { name: en.previews.title }).count()).toBe(0);
  expect(asked.length).toBe(before);
});
