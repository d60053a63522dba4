// Files that people send, made on the spot, and the ways in which they come into a page.
import { createHash } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';
import type { Locator, Page } from 'playwright-core';
import type { Tab } from './browser';

export interface Given {
  name: string;
  mimeType: string;
  buffer: Buffer;
}

/** Red, green, blue, each up to 255; below nought there is nothing. */
export type Colour = [number, number, number];

/** A PNG of what a rule says of each place, from 0 to 1 both ways. Each pixel is the mean of four: edges are smooth. */
export function png(name: string, width: number, height: number, paint: (x: number, y: number) => Colour): Given {
  const rows = Buffer.alloc((width * 4 + 1) * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * (width * 4 + 1) + 1 + x * 4;
      const sum = [0, 0, 0];
      let there = 0;
      for (const [dx, dy] of [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]] as const) {
        const colour = paint((x + dx) / width, (y + dy) / height);
        if (colour[0] < 0) continue;
        there += 1;
        for (let c = 0; c < 3; c++) sum[c] = (sum[c] ?? 0) + (colour[c] ?? 0);
      }
      for (let c = 0; c < 3; c++) rows[at + c] = Math.min(Math.max(Math.round((sum[c] ?? 0) / Math.max(there, 1)), 0), 255);
      rows[at + 3] = Math.round((there * 255) / 4);
    }
  }
  const chunk = (type: string, data: Buffer): Buffer => {
    const out = Buffer.alloc(data.length + 12);
    out.writeUInt32BE(data.length, 0);
    out.write(type, 4);
    data.copy(out, 8);
    out.writeUInt32BE(crc32(out.subarray(4, data.length + 8)), data.length + 8);
    return out;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 6, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const buffer = Buffer.concat([signature, chunk('IHDR', head), chunk('IDAT', deflateSync(rows, { level: 4 })), chunk('IEND', Buffer.alloc(0))]);
  return { name, mimeType: 'image/png', buffer };
}

/** A PNG of two colours that run into each other, so that it can be told from others by looking. */
export const picture = (name: string, width: number, height: number, [from, to]: [Colour, Colour] = [[200, 60, 40], [40, 90, 200]]): Given =>
  png(name, width, height, (x, y) => [0, 1, 2].map((c) => (from[c] ?? 0) * (1 - (x + y) / 2) + ((to[c] ?? 0) * (x + y)) / 2) as Colour);

/** A sticker: a face in a colour, with nothing around it. */
export const face = (name: string, colour: Colour, smiles = true): Given =>
  png(name, 320, 320, (x, y) => {
    const [u, v] = [x * 2 - 1, y * 2 - 1];
    if (Math.hypot(u, v) > 0.92) return [-1, -1, -1];
    const eye = Math.hypot(Math.abs(u) - 0.32, v + 0.2) < 0.11;
    const bow = smiles ? v - 0.1 : 0.62 - v;
    const mouth = Math.abs(Math.hypot(u, bow) - 0.42) < 0.055 && bow > 0.08;
    return eye || mouth ? [50, 40, 40] : colour;
  });

/** Bytes that do not repeat. */
export function noise(name: string, size: number, mimeType = 'application/octet-stream'): Given {
  const parts: Buffer[] = [];
  for (let at = 0; at * 64 < size; at++) parts.push(createHash('sha512').update(`${name} ${at}`).digest());
  return { name, mimeType, buffer: Buffer.concat(parts).subarray(0, size) };
}

/** A DataTransfer in the page, as the browser gives one with a paste or a drop. */
const transfer = (page: Page, files: Given[]) =>
  page.evaluateHandle(
    (given) => {
      const data = new DataTransfer();
      for (const { name, type, base64 } of given) data.items.add(new File([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))], name, { type }));
      return data;
    },
    files.map(({ name, mimeType, buffer }) => ({ name, type: mimeType, base64: buffer.toString('base64') })),
  );

export async function paste({ page, composer }: Tab, ...files: Given[]): Promise<void> {
  const data = await transfer(page, files);
  await composer.evaluate((field, clipboardData) => field.dispatchEvent(new ClipboardEvent('paste', { clipboardData: clipboardData as DataTransfer, bubbles: true, cancelable: true })), data);
}

export async function drop({ page, history }: Tab, ...files: Given[]): Promise<void> {
  const dataTransfer = await transfer(page, files);
  for (const type of ['dragenter', 'dragover', 'drop']) await history.dispatchEvent(type, { dataTransfer });
}

/** By the button with the clip. */
export async function attach({ page, words }: Tab, ...files: Given[]): Promise<void> {
  await page.getByRole('button', { name: words.media.attach, exact: true }).click();
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.getByRole('menuitem', { name: words.adding.files, exact: true }).click()]);
  await chooser.setFiles(files);
}

export const sheet = (tab: Tab, count: number): Locator => tab.dialog(tab.words.media.sheet(count));

export async function send(tab: Tab, count: number): Promise<void> {
  await sheet(tab, count).getByRole('button', { name: tab.words.chat.send }).click();
  await sheet(tab, count).waitFor({ state: 'detached' });
}

/** The pictures in the chat that have really been loaded. */
export const loaded = (tab: Tab): Promise<number> =>
  tab.history.locator('.tile img').evaluateAll((images) => images.filter((it) => (it as HTMLImageElement).complete && (it as HTMLImageElement).naturalWidth > 0).length);

/** Half silence, half nothing: an Ogg Opus file of so many seconds that any reader takes. */
export function voice(name: string, seconds: number): Given {
  const CRC = Array.from({ length: 256 }, (_, at) => {
    let value = at << 24;
    for (let bit = 0; bit < 8; bit++) value = value & 0x80000000 ? (value << 1) ^ 0x04c11db7 : value << 1;
    return value >>> 0;
  });
  const page = (number: number, flags: number, granule: number, packets: Buffer[]): Buffer => {
    const head = Buffer.alloc(27 + packets.length);
    head.write('OggS', 0);
    head[5] = flags;
    head.writeBigInt64LE(BigInt(granule), 6);
    head.writeUInt32LE(0x1405, 14);
    head.writeUInt32LE(number, 18);
    head[26] = packets.length;
    for (const [at, packet] of packets.entries()) head[27 + at] = packet.length;
    const whole = Buffer.concat([head, ...packets]);
    let crc = 0;
    for (const byte of whole) crc = ((crc << 8) ^ (CRC[((crc >>> 24) ^ byte) & 255] ?? 0)) >>> 0;
    whole.writeUInt32LE(crc, 22);
    return whole;
  };
  const opusHead = Buffer.alloc(19);
  opusHead.write('OpusHead', 0);
  opusHead.set([1, 1], 8);
  opusHead.writeUInt16LE(312, 10);
  opusHead.writeUInt32LE(48_000, 12);
  const tags = Buffer.alloc(16);
  tags.write('OpusTags', 0);
  const pages = [page(0, 2, 0, [opusHead]), page(1, 0, 0, [tags])];
  const frames = seconds * 50;
  for (let from = 0; from < frames; from += 50) {
    const many = Math.min(50, frames - from);
    pages.push(page(pages.length, from + many >= frames ? 4 : 0, (from + many) * 960 + 312, Array.from({ length: many }, () => Buffer.from([0xf8, 0xff, 0xfe]))));
  }
  return { name, mimeType: 'audio/ogg', buffer: Buffer.concat(pages) };
}
