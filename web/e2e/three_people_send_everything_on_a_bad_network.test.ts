// The story that issue 11 ends with: two browsers and a terminal, each behind a network that loses and throttles, and a
// server that dies in the middle of it. `E2E_SEED` decides the losses.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFailed, onTestFinished, test } from 'vitest';
import type { Tab } from './support/browser';
import { attach, noise, picture, send, voice, type Given } from './support/files';
import { Firefox, hasFirefox } from './support/firefox';
import { Lossy } from './support/lossy';
import { Person, SEED } from './support/people';
import { Server } from './support/server';
import { sql } from './support/sql';
import { device, eventually } from './support/stage';
import { Terminal } from './support/terminal';
import { tone } from './support/wav';
import { Watcher, truth, type Told } from './support/witness';
import { WORDS } from './support/words';

const { en } = WORDS;
const RECORDINGS = fileURLToPath(new URL('../../server/media/tests/recordings/', import.meta.url));

let server: Server;
beforeAll(async () => {
  server = await Server.start('--messages-per-second', '0');
});
afterAll(() => server.close());

/** Runs a function in a page; what it takes and gives is JSON. */
type Run = <T, A extends unknown[]>(what: (...given: A) => T | Promise<T>, ...given: A) => Promise<T>;
const inChromium =
  ({ page }: Tab): Run =>
  async (what, ...given) =>
    JSON.parse(await page.evaluate(`(async () => JSON.stringify(await (${what.toString()})(...${JSON.stringify(given)})) ?? 'null')()`)) as never;

/** Each message on the screen, in order: its number, what it is, and its words. */
const shown = (run: Run): Promise<Told[]> =>
  run(() => {
    const kinds = { album: '.album', photo: '.tile', voice: '.voice .wave:not(.line)', audio: '.voice .line', document: '.document', round: '.round', sticker: '.drawn .sticker', location: '.place a', contact: '.place strong' };
    return [...document.querySelectorAll<HTMLElement>('li.message')].map((row) => {
      const kind = Object.entries(kinds).find(([, selector]) => row.querySelector(selector))?.[0] ?? 'text';
      return { seq: Number(row.dataset['seq'] ?? NaN), kind, words: row.querySelector<HTMLElement>('.content > :not(.drawn)')?.innerText.trim() ?? '' };
    });
  });

/** SHA-256 of what an address gives, asked by the browser itself over its own network; again when that breaks. */
const digestIn = (run: Run, address: string): Promise<string> =>
  run(async (url) => {
    for (let turn = 0; ; turn++) {
      try {
        const answer = await fetch(url, { cache: 'no-store' });
        if (!answer.ok) throw new Error(`${answer.status}`);
        const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await answer.arrayBuffer()));
        return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
      } catch (error) {
        if (turn === 4) throw error;
      }
    }
  }, address);

/** Drops files into the chat and sends them, in any browser. */
async function dropAndSend(run: Run, ...files: Given[]): Promise<void> {
  await run(
    (given) => {
      const dataTransfer = new DataTransfer();
      for (const { name, type, base64 } of given) dataTransfer.items.add(new File([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))], name, { type }));
      for (const type of ['dragenter', 'dragover', 'drop']) document.querySelector('ol.opened')?.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
    },
    files.map(({ name, mimeType, buffer }) => ({ name, type: mimeType, base64: buffer.toString('base64') })),
  );
  // What will be sent is shown first, a moment later.
  await eventually(async () => expect(await run(() => document.querySelector('dialog[open] .button.primary:enabled') !== null)).toBe(true));
  await eventually(async () => expect(await run(() => (document.querySelector<HTMLElement>('dialog[open] .button.primary:enabled')?.click(), document.querySelector('dialog[open]') === null))).toBe(true));
}

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

test('two browsers and a terminal send each other everything on a bad network, and a dead server in the middle changes nothing', async () => {
  const [mina, john, reza, sara] = [await Person.register(server.url, 'مینا'), await Person.register(server.url, 'John'), await Person.register(server.url, 'رضا'), await Person.register(server.url, 'سارا')];
  const chat = await mina.create('group', 'سفر', [john, reza, sara]);
  const seed = Number.parseInt(SEED, 16) || 1;
  const [hersNet, hisNet, terminalNet] = await Promise.all([Lossy.to(server.port, seed), Lossy.to(server.port, seed + 1), Lossy.to(server.port, seed + 2)]);

  const chromium = await device({ at: hersNet.url });
  await chromium.context.grantPermissions(['microphone'], { origin: hersNet.url });
  await chromium.signIn(mina.handle);
  const hers = chromium.main;
  await hers.open('سفر');
  let his: Run;
  let press: (name: string) => Promise<void>;
  let write: (text: string) => Promise<void>;
  if (hasFirefox()) {
    const firefox = await Firefox.open();
    onTestFinished(() => firefox.close());
    await firefox.signIn(hisNet.url, john.handle, en.auth.signIn);
    his = (what, ...given) => firefox.run(what, ...given);
    press = (name) => firefox.press(name);
    write = async (text) => {
      await firefox.focus('.composer textarea');
      await firefox.type(text);
      await firefox.press(en.chat.send);
    };
    await firefox.until(() => (document.querySelector<HTMLElement>('nav.list a.row, nav.list [role=link], nav.list a[href*="chat"]')?.click(), document.querySelector('ol.opened') !== null));
  } else {
    const other = await device({ at: hisNet.url, language: 'en' });
    await other.context.grantPermissions(['microphone'], { origin: hisNet.url });
    await other.signIn(john.handle);
    await other.main.open('سفر');
    his = inChromium(other.main);
    press = (name) => other.page.getByRole('button', { name, exact: true }).filter({ visible: true }).first().click();
    write = (text) => other.main.say(text);
  }
  const terminal = new Terminal(reza, terminalNet.url);
  onTestFailed(() => console.log(terminal.said));
  await terminal.says(`you are @${reza.handle}`);
  terminal.type(`/open ${chat}`);
  await terminal.says('made this chat');

  // Somebody looks on all the time: whatever is told of a message is there whole, at once.
  const watcher = new Watcher(sara, chat);
  onTestFinished(() => watcher.stop());

  const put = (name: string, bytes: Buffer): string => {
    const path = join(terminal.folder, name);
    writeFileSync(path, bytes);
    return path;
  };
  const papers = { hers: noise('papers-of-mina.bin', 600_000), his: noise('papers-of-john.bin', 500_000), terminals: noise('papers-of-reza.bin', 550_000) };

  // What the apps have no button for yet comes over the API.
  await reza.give(chat, { kind: 'location', latitude: 32.616, longitude: 44.032, accuracy_m: 20 });
  await reza.give(chat, { kind: 'contact', name: 'هتل نور', phone: '+982537740000' });
  await sara.give(chat, { kind: 'sticker', file_id: await sara.upload('sticker', picture('rose.png', 300, 300, [[220, 30, 90], [255, 200, 210]])), emoji: '🌹' });
  await sara.give(chat, { kind: 'round', file_id: await sara.upload('round', { name: 'round.webm', mimeType: 'video/webm', buffer: readFileSync(`${RECORDINGS}film.webm`) }), duration_ms: 1000 });

  // All at the same time.
  const hersDone = (async () => {
    await attach(hers, picture('1.png', 1600, 1200), picture('2.png', 900, 1200, [[40, 120, 60], [230, 220, 90]]), picture('3.png', 1200, 700, [[90, 20, 120], [20, 200, 220]]));
    await hers.dialog(hers.words.media.sheet(3)).getByRole('textbox', { name: hers.words.media.caption }).fill('صحن و رواق‌ها');
    await send(hers, 3);
    await attach(hers, papers.hers);
    await send(hers, 1);
    await hers.page.getByRole('button', { name: hers.words.media.record, exact: true }).click();
    await hers.page.getByRole('timer').getByText(/[2-9۲-۹]/).waitFor();
    await hers.page.getByRole('button', { name: hers.words.chat.send, exact: true }).click();
    await hers.say('همه را فرستادم');
  })();
  const hisDone = (async () => {
    await dropAndSend(his, picture('sunset.png', 1200, 900, [[250, 160, 60], [30, 30, 90]]));
    await dropAndSend(his, { name: 'film.webm', mimeType: 'video/webm', buffer: readFileSync(`${RECORDINGS}film.webm`) });
    await dropAndSend(his, papers.his);
    await press(en.media.record);
    await eventually(async () => expect(await his(() => document.querySelector('[role=timer]')?.textContent ?? '')).toMatch(/[2-9]/));
    await press(en.chat.send);
    await write('all of mine are on their way');
  })();
  terminal.type(`/photo ${put('dawn.png', picture('dawn.png', 1000, 750, [[30, 40, 90], [250, 200, 160]]).buffer)} dawn`);
  terminal.type(`/voice ${put('hello.ogg', voice('hello.ogg', 9).buffer)}`);
  terminal.type(`/video ${put('film.mp4', readFileSync(`${RECORDINGS}film.mp4`))}`);
  terminal.type(`/audio ${put('song.wav', tone(440, 2))}`);
  terminal.type(`/file ${put('papers-of-reza.bin', papers.terminals.buffer)} papers of Reza`);
  terminal.type('a word from the terminal');
  await Promise.all([hersDone, hisDone]);

  // Something of each is on its way when the server dies, and one of them has no network at all for a while.
  await terminal.says('25 % of the file');
  await server.stop('SIGKILL');
  terminalNet.cut();
  await hers.away.waitFor();
  await hers.say('هنگامی که سرور نبود');
  await server.start();
  await hers.retryNow();
  await write('after it came back');
  terminalNet.mend();

  const expected = [
    ...['album', 'document', 'voice', 'text', 'text'].map((kind) => `مینا ${kind}`),
    ...['photo', 'video', 'document', 'voice', 'text', 'text'].map((kind) => `John ${kind}`),
    ...['photo', 'voice', 'video', 'audio', 'document', 'text', 'location', 'contact'].map((kind) => `رضا ${kind}`),
    ...['sticker', 'round'].map((kind) => `سارا ${kind}`),
  ].sort();
  const names = new Map([mina, john, reza, sara].map(({ id, name }) => [id, name]));
  const firsts = async (): Promise<string[]> => (await truth(sara, chat)).filter(({ part }) => part === 0).map(({ sender, kind }) => `${names.get(sender)} ${kind}`).sort();
  await expect.poll(firsts, { timeout: 120_000, interval: 500 }).toEqual(expected);
  const rows = await truth(sara, chat);
  expect(rows).toHaveLength(expected.length + 2);
  const told = rows.filter(({ part }) => part === 0).map(({ seq, kind, words }): Told => ({ seq, kind, words }));

  // The same on each screen, in the same order, and nothing twice. A film is drawn as a picture is.
  const drawn = told.map((it) => ({ ...it, kind: it.kind === 'video' ? 'photo' : it.kind }));
  const minas = inChromium(hers);
  for (const run of [minas, his]) await eventually(async () => expect(await shown(run)).toEqual(drawn));
  await eventually(() => expect(terminal.messages().map(([seq]) => seq).filter((seq) => rows.some((it) => it.seq === seq))).toEqual(rows.map(({ seq }) => seq)));
  await eventually(async () => expect(await hers.history.getByRole('img', { name: hers.words.chat.waiting }).count()).toBe(0));

  // Every byte is that which the server keeps, and what was sent as it is is what was sent.
  const files = rows.filter(({ file }) => file !== undefined);
  for (const person of [mina, john, reza]) {
    const run = person === mina ? minas : person === john ? his : undefined;
    const { links } = await person.call<{ links: { file_id: string; size: string; url: string }[] }>('get_links', { chat_id: chat, files: files.map(({ seq, file }) => ({ seq, file_id: file!.id })) });
    for (const { seq, file, kind } of files) {
      const link = links.find((it) => it.file_id === file!.id && it.size === 'original')!;
      const got = run ? await digestIn(run, link.url) : sha(await terminal.save(seq));
      const [kept] = sql(server.folder, `SELECT encode(blob, 'hex') FROM files WHERE id = '${file!.id}'`);
      expect(got, `${kind} #${seq} at ${person.name}`).toBe(kept);
      const own = Object.values(papers).find(({ name }) => name === file!.name);
      if (own) expect(got).toBe(sha(own.buffer));
    }
  }
  watcher.stop();
  expect(watcher.faults, 'what was told before it was there').toEqual([]);
  expect(watcher.seen).toBe(rows.length);

  // Whoever opens it anew sees the same.
  await hers.page.reload();
  await hers.history.locator('ol.opened').waitFor();
  await eventually(async () => expect(await shown(minas)).toEqual(drawn));
}, 420_000);
