import { describe, expect, it } from 'vitest';
import type { OutboxItem } from '@chapar/client';
import { boxOf, isMedia, packWaveform, pendingBodies, sizeFor, waveform } from './shapes';
import { decode, encode, fromBase64, toBase64 } from './thumbhash';

describe('which size of a picture is loaded', () => {
  it.each([
    [[320, 800, 1280, 2560], 4000, 300, '320'],
    [[320, 800, 1280, 2560], 4000, 640, '800'],
    [[320, 800, 1280, 2560], 4000, 850, '800'],
    [[320, 800], 1000, 1000, 'original'],
    [undefined, 1000, 100, 'original'],
    [[320, 800, 1280], 800, 300, '320'],
    // One as large as the original is nothing less to load.
    [[800], 800, 700, 'original'],
  ])('of %j and %i for a place of %i is %s', (sizes, longer, wanted, size) => expect(sizeFor(sizes, longer, wanted)).toBe(size));
});

describe('the place of a picture', () => {
  it.each([[4000, 3000], [3000, 4000], [1, 1], [65_000, 1], [1, 65_000], [0, 0], [100, 100]])('of %i by %i is neither a line nor higher than the screen', (width, height) => {
    const box = boxOf(width, height);
    expect(box.width).toBeGreaterThanOrEqual(5);
    expect(box.width).toBeLessThanOrEqual(20);
    expect(box.width / box.ratio).toBeLessThanOrEqual(22.1);
    expect(box.width / box.ratio).toBeGreaterThanOrEqual(4.9);
  });
  it('has the shape of the picture', () => expect(boxOf(4000, 3000).ratio).toBeCloseTo(4 / 3, 2));
});

describe('a waveform', () => {
  it('is the same after it was packed', () => {
    const values = Array.from({ length: 100 }, (_, at) => (at * 7) % 32);
    expect(packWaveform(values)).toHaveLength(84);
    expect(waveform(packWaveform(values))).toEqual(values);
  });
  it.each([undefined, '', '!', 'AAAA'])('%j is none', (packed) => expect(waveform(packed)).toBeUndefined());
});

describe('a tiny preview', () => {
  const picture = (width: number, height: number, alpha: number): Uint8ClampedArray => {
    const rgba = new Uint8ClampedArray(width * height * 4);
    for (let at = 0; at < width * height; at++) rgba.set(at % width < width / 2 ? [220, 30, 40, 255] : [20, 60, 200, alpha], at * 4);
    return rgba;
  };
  it.each([[60, 40, 255], [40, 60, 255], [50, 50, 0]])('of %i by %i (alpha %i) looks like it, in at most 40 bytes', (width, height, alpha) => {
    const hash = encode(width, height, picture(width, height, alpha));
    expect(hash.length).toBeLessThanOrEqual(40);
    const back = decode(fromBase64(toBase64(hash)) as Uint8Array);
    expect(back).toBeDefined();
    if (!back) return;
    expect(back.width > back.height).toBe(width > height);
    const pixel = (x: number): number[] => [...back.rgba.slice(((back.height >> 1) * back.width + x) * 4, ((back.height >> 1) * back.width + x) * 4 + 4)];
    const [left, right] = [pixel(4), pixel(back.width - 5)];
    expect((left[0] ?? 0) - (left[2] ?? 0)).toBeGreaterThan(80);
    if (alpha === 255) expect((right[2] ?? 0) - (right[0] ?? 0)).toBeGreaterThan(80);
    else expect(right[3]).toBeLessThan(100);
  });
  it.each(['', '!!', 'AA'])('%j is none', (text) => {
    const bytes = fromBase64(text);
    expect(bytes && decode(bytes)).toBeUndefined();
  });
  it('of any bytes harms nobody', () => {
    for (let seed = 1; seed < 200; seed++) expect(() => decode(Uint8Array.from({ length: 5 + (seed % 36) }, (_, at) => (seed * 31 + at * 97) & 255))).not.toThrow();
  });
});

describe('what is on its way', () => {
  const item: OutboxItem = {
    client_id: 'a', chat_id: 1, at: 0, order: 0, body: { kind: 'photo', text: 'x' } as never,
    files: [{ part: 0, slot: 'file_id', kind: 'photo', type: 'image/jpeg', size: 9, facts: { width: 4, height: 3, preview: 'p' } }],
  };
  it('looks as it will when it is stored, and stays the same object', () => {
    const [body] = pendingBodies(item);
    expect(body).toMatchObject({ kind: 'photo', text: 'x', width: 4, height: 3, preview: 'p', file: { size: 9, mime: 'image/jpeg' } });
    expect(isMedia(body as never)).toBe(true);
    expect(pendingBodies(item)[0]).toBe(body);
  });
  it.each([{ kind: 'photo' }, { kind: 'photo', file: { id: 'x', size: 1 } }, { kind: 'voice', file: { id: 'x', size: 1 } }, { kind: 'text', text: 'x' }])('%j cannot be drawn as media', (body) => expect(isMedia(body)).toBe(false));
});
