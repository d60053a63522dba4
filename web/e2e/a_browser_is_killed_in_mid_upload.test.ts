import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { launchAlone } from './support/browser';
import { attach, noise, picture, send } from './support/files';
import { handle, Person } from './support/people';
import { device, eventually, somebody, url } from './support/stage';

/** SIGKILL for the browser whose profile lies in a folder: its first process, with which all others go. */
async function kill(folder: string): Promise<void> {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    let command = '';
    try {
      command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    } catch {
      // It has ended meanwhile.
    }
    if (command.includes(`--user-data-dir=${folder}`) && !command.includes('--type=')) process.kill(Number(pid), 'SIGKILL');
  }
}

test('the browser is killed while files go up: opened again it goes on where they stood, and all arrive whole and once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'chapar-profile-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }));
  const john = await somebody('John', { language: 'en' });
  const mina = await Person.register(url(), 'مینا', handle('mina'));
  await mina.direct(john.person);
  const his = john.device.main;
  await his.open('مینا');

  const first = await device({ context: await launchAlone(folder) });
  await first.signIn(mina.handle);
  await first.main.open('John');
  const film = noise('film.bin', 3_000_000);
  // The network takes the first piece of the large one, then nothing more; of the pictures not even that.
  let pieces = 0;
  await first.context.route(/\/files(\/|$)/, async (route) => {
    const request = route.request();
    if (request.method() === 'PATCH') pieces += 1;
    if (request.method() === 'PATCH' || Number(request.headers()['upload-length']) < 1e6) await route.abort();
    else await route.continue();
  });
  await attach(first.main, film);
  await send(first.main, 1);
  await attach(first.main, picture('1.png', 800, 600), picture('2.png', 600, 800));
  await send(first.main, 2);
  await first.main.say('after the files');
  await eventually(() => expect(pieces).toBeGreaterThan(0));
  await first.main.history.locator('.album').waitFor();
  await kill(folder);
  await eventually(() => expect(first.page.isClosed()).toBe(true));

  const second = await device({ context: await launchAlone(folder) });
  const asked: string[] = [];
  second.context.on('request', (request) => {
    if (/\/files(\/|$)/.test(request.url())) asked.push(`${request.method()} ${request.headers()['upload-length'] ?? ''}`.trim());
  });
  await second.visit();
  await second.main.open('John');
  await second.main.history.getByText('film.bin').waitFor();
  const open = his.history.getByRole('button', { name: /film\.bin/ });
  await open.waitFor();
  await his.history.locator('.album').waitFor();
  await his.message('after the files').waitFor();
  expect(asked).toContain('HEAD');
  expect(asked).not.toContain(`POST ${film.buffer.length}`);
  const [download] = await Promise.all([his.page.waitForEvent('download'), open.click()]);
  expect(readFileSync(await download.path()).equals(film.buffer)).toBe(true);
  await eventually(async () => expect(await second.main.history.getByRole('img', { name: second.words.chat.waiting }).count()).toBe(0));
  for (const tab of [his, second.main]) expect(await tab.history.locator('li.message').count()).toBe(3);
});
