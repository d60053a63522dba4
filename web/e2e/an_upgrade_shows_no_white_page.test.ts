// Nodes of two releases behind one balancer: what one of them gives may name what the other has not.
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Front } from './support/front';
import { device, url } from './support/stage';

const OLD = process.env.CHAPAR_WEB_DIST ?? fileURLToPath(new URL('../dist', import.meta.url));
let next = '';
let main = '';

/** The same app as another release: its main file has another name, and its page another hash. */
beforeAll(() => {
  next = mkdtempSync(join(tmpdir(), 'chapar-next-'));
  cpSync(OLD, next, { recursive: true });
  const page = readFileSync(join(next, 'index.html'), 'utf8');
  main = /assets\/(index-[\w-]+\.js)/.exec(page)![1]!;
  const assets = readdirSync(join(next, 'assets')).filter((file) => file.endsWith('.js'));
  // What names another file has a name of its own in each release, as that of every build goes by its bytes.
  const names = new Map([[main, 'index-NEXT0000.js']]);
  for (const file of assets) if (file !== main && readFileSync(join(next, 'assets', file), 'utf8').includes(main)) names.set(file, `next-${file}`);
  const swap = (path: string): void => writeFileSync(path, [...names].reduce((text, [from, to]) => text.replaceAll(from, to), readFileSync(path, 'utf8')));
  for (const file of assets) swap(join(next, 'assets', file));
  for (const [from, to] of names) renameSync(join(next, 'assets', from), join(next, 'assets', to));
  const sha = (text: string): string => createHash('sha256').update(text).digest('hex');
  swap(join(next, 'index.html'));
  const worker = join(next, 'sw.js');
  swap(worker);
  writeFileSync(worker, readFileSync(worker, 'utf8').replaceAll(sha(page), sha(readFileSync(join(next, 'index.html'), 'utf8'))).replace(/"[0-9a-f]{16}"/, '"0123456789abcdef"'));
});
afterAll(() => rmSync(next, { recursive: true, force: true }));

const port = (): number => Number(new URL(url()).port);
const isPage = (path: string): boolean => !path.includes('.');

test('a first visit that gets its page from one release and its files from the other opens all the same', async () => {
  for (const [page, files] of [[() => next, () => OLD], [() => OLD, () => next]] as const) {
    let pages = 0;
    const front = await Front.before(port, (path) => (isPage(path) && ++pages <= 2 ? page() : files()));
    const hers = await device({ at: front.url });
    await hers.visit();
    await hers.page.locator('#name').waitFor();
    expect(pages).toBeGreaterThan(2);
    await hers.page.waitForTimeout(300);
    await hers.page.goto('about:blank');
    await front.close();
  }
});

test('a worker of the new release does not take the page of the old one, and takes its own later', async () => {
  let dist = (_path: string): string => OLD;
  const front = await Front.before(port, (path) => dist(path));
  const hers = await device({ at: front.url });
  await hers.visit();
  await hers.page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  // The worker comes from the new node, the page from the old one.
  dist = (path) => (isPage(path) ? OLD : next);
  const install = (): Promise<string> =>
    hers.page.evaluate(async () => {
      const registration = (await navigator.serviceWorker.getRegistration())!;
      await registration.update().catch(() => {});
      const worker = registration.installing ?? registration.waiting;
      if (!worker) return 'none';
      if (worker.state === 'installing') await new Promise((resolve) => worker.addEventListener('statechange', resolve, { once: true }));
      return worker.state;
    });
  expect(await install()).toBe('redundant');
  await hers.page.reload();
  await hers.page.locator('#name').waitFor();
  // All nodes are new: now it is installed, and its page opens.
  dist = () => next;
  expect(await install()).toBe('installed');
  await hers.page.evaluate(async () => (await navigator.serviceWorker.getRegistration())!.waiting!.postMessage('activate'));
  await hers.page.waitForFunction(async () => (await caches.keys()).join() === 'chapar-0123456789abcdef');
  await hers.page.reload();
  await hers.page.locator('#name').waitFor();
  expect(await hers.page.content()).toContain('index-NEXT0000.js');
  await hers.page.goto('about:blank');
  await front.close();
});
