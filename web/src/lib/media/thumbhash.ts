/**
 * Thumbhash: a picture in some 25 bytes, as a few waves of lightness and colour. Its place is drawn from it at once, before
 * anything of the picture has come.
 */

const SIDE = 32;
const { cos, max, PI, round } = Math;

export interface Thumb {
  width: number;
  height: number;
  rgba: Uint8ClampedArray<ArrayBuffer>;
}

/** The bytes of base64 without padding; undefined where it is none. */
export function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}

export const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes)).replace(/=+$/, '');

/** How many waves there are of a channel, below the diagonal. */
function* waves(nx: number, ny: number, constant: boolean): Generator<[number, number]> {
  for (let y = 0; y < ny; y++) for (let x = y > 0 || constant ? 0 : 1; x * ny < nx * (ny - y); x++) yield [x, y];
}

/** Draws a hash; undefined where it is none. */
export function decode(hash: Uint8Array): Thumb | undefined {
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = hash;
  if (hash.length < 5) return undefined;
  const [first, second] = [a | (b << 8) | (c << 16), d | (e << 8)];
  const transparent = first >> 23 !== 0;
  const landscape = second >> 15 !== 0;
  const [few, many] = [second & 7, transparent ? 5 : 7];
  const [rx, ry] = landscape ? [many, few] : [few, many];
  let at = transparent ? 12 : 10;
  const half = (): number => {
    const it = ((hash[at >> 1] ?? 0x77) >> ((at & 1) << 2)) & 15;
    at += 1;
    return it / 7.5 - 1;
  };
  const channel = (nx: number, ny: number, scale: number): [number, number, number][] => [...waves(nx, ny, false)].map(([x, y]) => [x, y, half() * scale]);
  const light = channel(max(3, rx), max(3, ry), ((first >> 18) & 31) / 31);
  const yellow = channel(3, 3, (((second >> 3) & 63) / 63) * 1.25);
  const red = channel(3, 3, (((second >> 9) & 63) / 63) * 1.25);
  const alpha = transparent ? channel(5, 5, ((hash[5] ?? 0) >> 4) / 15) : [];
  const base = [(first & 63) / 63, ((first >> 6) & 63) / 31.5 - 1, ((first >> 12) & 63) / 31.5 - 1, transparent ? ((hash[5] ?? 0) & 15) / 15 : 1] as const;
  const ratio = max(rx, 1) / max(ry, 1);
  const [width, height] = [round(ratio > 1 ? SIDE : SIDE * ratio), round(ratio > 1 ? SIDE / ratio : SIDE)];
  const rgba = new Uint8ClampedArray(width * height * 4);
  // Computed once for each wave and place: a screen of pictures is drawn within a frame.
  const table = (side: number): Float64Array[] => Array.from({ length: 8 }, (_, wave) => Float64Array.from({ length: side }, (_, place) => cos((PI / side) * (place + 0.5) * wave)));
  const [across, down] = [table(width), table(height)];
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 4) {
      const value = (of: [number, number, number][]): number => {
        let sum = 0;
        for (const [cx, cy, ac] of of) sum += ac * (across[cx]?.[x] ?? 0) * (down[cy]?.[y] ?? 0) * 2;
        return sum;
      };
      const l = base[0] + value(light);
      const p = base[1] + value(yellow);
      const q = base[2] + value(red);
      const blue = l - (2 / 3) * p;
      const r = (3 * l - blue + q) / 2;
      rgba.set([255 * r, 255 * (r - q), 255 * blue, 255 * (transparent ? base[3] + value(alpha) : 1)], to);
    }
  }
  return { width, height, rgba };
}

/** The hash of a picture of at most 100 by 100. */
export function encode(width: number, height: number, rgba: Uint8ClampedArray): Uint8Array {
  const count = width * height;
  const mean = [0, 0, 0, 0];
  for (let at = 0; at < count; at++) {
    const alpha = (rgba[at * 4 + 3] ?? 0) / 255;
    for (let c = 0; c < 3; c++) mean[c] = (mean[c] ?? 0) + (alpha * (rgba[at * 4 + c] ?? 0)) / 255;
    mean[3] = (mean[3] ?? 0) + alpha;
  }
  const all = mean[3] ?? 0;
  if (all > 0) for (let c = 0; c < 3; c++) mean[c] = (mean[c] ?? 0) / all;
  const transparent = all < count;
  const most = transparent ? 5 : 7;
  const lx = max(1, round((most * width) / max(width, height)));
  const ly = max(1, round((most * height) / max(width, height)));
  const planes = [0, 1, 2, 3].map(() => new Float64Array(count));
  for (let at = 0; at < count; at++) {
    const alpha = (rgba[at * 4 + 3] ?? 0) / 255;
    const [r = 0, g = 0, b = 0] = [0, 1, 2].map((c) => (mean[c] ?? 0) * (1 - alpha) + (alpha * (rgba[at * 4 + c] ?? 0)) / 255);
    for (const [c, value] of [(r + g + b) / 3, (r + g) / 2 - b, r - g, alpha].entries()) (planes[c] as Float64Array)[at] = value;
  }
  const channel = (plane: Float64Array, nx: number, ny: number): { dc: number; ac: number[]; scale: number } => {
    let [dc, scale] = [0, 0];
    const ac: number[] = [];
    for (const [cx, cy] of waves(nx, ny, true)) {
      let sum = 0;
      for (let y = 0; y < height; y++) {
        const fy = cos((PI / height) * cy * (y + 0.5));
        for (let x = 0; x < width; x++) sum += (plane[x + y * width] ?? 0) * cos((PI / width) * cx * (x + 0.5)) * fy;
      }
      sum /= count;
      if (cx === 0 && cy === 0) dc = sum;
      else {
        ac.push(sum);
        scale = max(scale, Math.abs(sum));
      }
    }
    return { dc, ac: scale > 0 ? ac.map((it) => 0.5 + (0.5 / scale) * it) : ac, scale };
  };
  const [light, yellow, red, alpha] = planes.map((plane, c) => (c === 0 ? channel(plane, max(3, lx), max(3, ly)) : channel(plane, c === 3 ? 5 : 3, c === 3 ? 5 : 3)));
  if (!light || !yellow || !red || !alpha) return new Uint8Array();
  const landscape = width > height;
  const first = round(63 * light.dc) | (round(31.5 + 31.5 * yellow.dc) << 6) | (round(31.5 + 31.5 * red.dc) << 12) | (round(31 * light.scale) << 18) | (Number(transparent) << 23);
  const second = (landscape ? ly : lx) | (round(63 * yellow.scale) << 3) | (round(63 * red.scale) << 9) | (Number(landscape) << 15);
  const hash = [first & 255, (first >> 8) & 255, (first >> 16) & 255, second & 255, second >> 8];
  if (transparent) hash.push(round(15 * alpha.dc) | (round(15 * alpha.scale) << 4));
  const start = hash.length;
  let at = 0;
  for (const { ac } of transparent ? [light, yellow, red, alpha] : [light, yellow, red]) {
    for (const it of ac) {
      const to = start + (at >> 1);
      hash[to] = (hash[to] ?? 0) | (round(15 * it) << ((at++ & 1) << 2));
    }
  }
  return Uint8Array.from(hash);
}
