// Pictures that somebody might have taken, drawn by rule: no photo of anybody is needed to look at the app.
import { encode, toBase64 } from '../../src/lib/media/thumbhash';
import { png, type Colour, type Given } from './files';

/** What is seen at a place: both from 0 to 1, y downwards. `aspect` is width by height. */
type Paint = (x: number, y: number, aspect: number) => Colour;

const mix = (a: Colour, b: Colour, share: number): Colour => {
  const at = Math.min(Math.max(share, 0), 1);
  return [0, 1, 2].map((c) => (a[c] ?? 0) * (1 - at) + (b[c] ?? 0) * at) as Colour;
};
const waves = (x: number, seed: number): number => Math.sin(x * 5.1 + seed * 3.7) * 0.5 + Math.sin(x * 11.3 + seed * 1.9) * 0.3 + Math.sin(x * 23.7 + seed * 7.1) * 0.2;
const speckle = (x: number, y: number): number => {
  const value = Math.sin(x * 1271.7 + y * 3117.3) * 43758.5453;
  return value - Math.floor(value);
};

/** Nothing is there. */
const CLEAR: Colour = [-1, -1, -1];

/** Evening behind a dome and two minarets. */
const dusk: Paint = (x, y, aspect) => {
  const sky = mix(mix([34, 38, 92], [196, 86, 98], y * 1.7), [255, 196, 112], (y - 0.42) * 3.2);
  const across = (x - 0.5) * aspect;
  const sun = Math.hypot(across - 0.36, y - 0.5);
  let colour = mix(mix(sky, [255, 226, 160], 0.55 - sun * 1.6), [255, 244, 214], (0.062 - sun) * 200);
  const stars = speckle(Math.round(x * 160), Math.round(y * 120)) > 0.994 && y < 0.3;
  if (stars) colour = mix(colour, [255, 255, 255], 0.5 - y);
  const ground = y > 0.8;
  const drum = Math.abs(across) < 0.17 && y > 0.52;
  const dome = Math.hypot(across * 1.05, (y - 0.52) * 0.82) < 0.185 && y <= 0.53;
  const spire = Math.abs(across) < 0.006 && y > 0.2 && y < 0.4;
  const hall = Math.abs(across) < 0.46 && y > 0.66;
  const minaret = [-0.34, 0.34].some((at) => (Math.abs(across - at) < 0.022 && y > 0.27) || (Math.abs(across - at) < 0.036 && y > 0.31 && y < 0.345) || Math.hypot(across - at, (y - 0.27) * 0.8) < 0.026);
  const gold = mix([226, 172, 66], [120, 74, 30], across * 2.6 + 0.45 - (0.6 - y));
  if (dome || spire) colour = gold;
  if (drum || minaret) colour = mix([70, 48, 74], [32, 24, 52], across + 0.5);
  if (hall) {
    colour = mix([58, 42, 70], [28, 22, 48], across + 0.4);
    const cell = ((across + 4) % 0.115) - 0.0575;
    if (y > 0.7 && y < 0.79 && Math.hypot(cell * 1.1, Math.max(0.735 - y, 0)) < 0.032 && Math.abs(cell) < 0.03) colour = [255, 198, 104];
  }
  if (ground) {
    const mirrored = mix([196, 110, 92], [40, 34, 70], (y - 0.8) * 5);
    const ripple = Math.sin(y * 260 + waves(x, 2) * 6) * 0.5 + 0.5;
    colour = mix(mirrored, Math.abs(across) < 0.2 ? [214, 160, 84] : [70, 52, 80], 0.18 + ripple * 0.22);
  }
  return colour;
};

/** A tiled portal over a pool. */
const portal: Paint = (x, y, aspect) => {
  const across = (x - 0.5) * aspect;
  const wall = 0.82;
  const arch = (half: number, top: number): boolean => y < wall && Math.abs(across) < half && y > top + (Math.abs(across) / half) ** 2.2 * 0.2;
  let colour = mix([126, 186, 226], [226, 240, 244], y * 1.5);
  if (Math.abs(across) < 0.46 && y > 0.12 && y < wall) {
    const star = Math.cos(across * 96) * Math.cos(y * 96) + Math.cos((across + y) * 68) * Math.cos((across - y) * 68);
    colour = star > 0.55 ? [240, 214, 132] : star > -0.25 ? [26, 108, 150] : [18, 66, 112];
    if (Math.abs(across) > 0.435 || y < 0.15) colour = [222, 190, 120];
  }
  if (Math.abs(across) >= 0.46 && y > 0.4 && y < wall) {
    colour = mix([226, 202, 160], [190, 160, 116], (y - 0.4) * 1.6);
    const cell = ((Math.abs(across) - 0.46 + 0.02) % 0.18) - 0.09;
    if (Math.abs(cell) < 0.055 && y > 0.5 + (Math.abs(cell) / 0.055) ** 2 * 0.08 && y < 0.76) colour = [112, 84, 60];
  }
  if (arch(0.33, 0.22)) colour = [236, 224, 188];
  if (arch(0.3, 0.255)) {
    const rib = Math.cos(Math.atan2(y - 0.8, across) * 22) * Math.cos(Math.hypot(across, y - 0.8) * 70);
    colour = mix(rib > 0 ? [74, 152, 176] : [222, 232, 220], [18, 36, 62], 1.5 - Math.hypot(across * 1.4, y - 0.8) * 2.6);
  }
  if (arch(0.1, 0.56)) colour = mix([64, 44, 34], [24, 18, 22], y);
  if (y >= wall) {
    const depth = (y - wall) / (1 - wall);
    const line = Math.sin(y * 420 + waves(x * 2, 3) * 4);
    colour = Math.abs(across) < 0.3 + depth * 0.16 ? mix([60, 140, 168], [22, 70, 104], depth + line * 0.12) : mix([214, 200, 172], [176, 156, 122], depth + line * 0.03);
  }
  return colour;
};

/** Mountains behind each other, in the morning. */
const hills: Paint = (x, y, aspect) => {
  let colour = mix([158, 198, 232], [252, 226, 196], y * 1.7);
  const sun = Math.hypot((x - 0.24) * aspect, y - 0.24);
  colour = mix(mix(colour, [255, 244, 206], 0.5 - sun * 1.8), [255, 250, 232], (0.05 - sun) * 160);
  const tones: Colour[] = [[150, 170, 196], [112, 140, 164], [76, 116, 122], [52, 92, 78], [34, 66, 50]];
  for (const [at, tone] of tones.entries()) {
    const line = 0.4 + at * 0.115 + waves(x * aspect * (0.55 + at * 0.16), at * 2.3) * (0.09 - at * 0.008);
    if (y > line) colour = mix(tone, [238, 226, 206], 0.42 - (y - line) * 1.2 - at * 0.07);
    if (at === 0 && y > line && y < line + 0.03 + waves(x * 9, 1) * 0.014 && line < 0.38) colour = [246, 246, 248];
  }
  return colour;
};

/** Dunes and a road. */
const desert: Paint = (x, y, aspect) => {
  let colour = mix([88, 154, 206], [244, 222, 186], y * 2);
  for (let at = 0; at < 4; at++) {
    const line = 0.46 + at * 0.1 + waves(x * aspect * 0.5 + at, at * 1.7) * 0.05;
    if (y > line) colour = mix(mix([242, 196, 124], [204, 138, 74], (y - line) * 4), [122, 72, 46], waves(x * 3 + y * 2, at) * 0.28);
  }
  const depth = (y - 0.52) / 0.48;
  const middle = 0.55 + Math.sin(depth * 3.2) * 0.09 * (1 - depth);
  const half = 0.006 + depth * depth * 0.16;
  if (y > 0.52 && Math.abs(x - middle) < half) {
    colour = mix([84, 82, 88], [58, 56, 62], depth);
    if (Math.abs(x - middle) < half * 0.045 && Math.sin(Math.log(depth + 0.02) * 16) > 0) colour = [246, 240, 214];
  }
  return colour;
};

/** A glass of tea on a saucer, seen from above. */
const tea: Paint = (x, y, aspect) => {
  const [across, down] = [(x - 0.52) * aspect, y - 0.52];
  const cloth = Math.sin(x * aspect * 62) * Math.sin(y * 62);
  let colour: Colour = cloth > 0 ? [158, 36, 46] : [136, 26, 38];
  if (Math.abs(Math.sin(x * aspect * 15.5)) < 0.09 || Math.abs(Math.sin(y * 15.5)) < 0.09) colour = [226, 190, 120];
  const from = Math.hypot(across, down);
  if (Math.hypot(across - 0.03, down - 0.04) < 0.37) colour = mix(colour, [40, 6, 12], 0.45);
  if (from < 0.36) colour = mix([250, 248, 242], [206, 202, 194], from * 1.4 + across * 0.4);
  if (Math.abs(from - 0.32) < 0.012) colour = [48, 104, 158];
  if (Math.abs(from - 0.285) < 0.01 && Math.sin(Math.atan2(down, across) * 24) > -0.2) colour = [198, 156, 62];
  if (from < 0.205) colour = [232, 238, 240];
  if (from < 0.18) colour = mix(mix([206, 82, 22], [104, 26, 10], from * 5.4), [255, 206, 130], (0.09 - Math.hypot(across + 0.06, down + 0.07)) * 6);
  for (const [left, top, turn] of [[-0.24, 0.14, 0.5], [0.255, 0.1, -0.3]] as const) {
    const [a, b] = [across - left, down - top];
    const [c, d] = [a * Math.cos(turn) - b * Math.sin(turn), a * Math.sin(turn) + b * Math.cos(turn)];
    if (Math.max(Math.abs(c), Math.abs(d)) < 0.034) colour = mix([255, 255, 255], [216, 214, 210], (c + d) * 12 + 0.4);
  }
  return colour;
};

/** A rose with leaves, on nothing. */
const rose: Paint = (x, y) => {
  const [a, b] = [x - 0.5, y - 0.4];
  const from = Math.hypot(a, b);
  const turn = Math.atan2(b, a);
  const spiral = Math.sin(turn * 3 + from * 46);
  if (from < 0.3 + Math.sin(turn * 5) * 0.022) return mix(mix([240, 60, 96], [150, 14, 52], from * 1.4 + spiral * 0.24), [255, 176, 190], 0.32 - from * 1.6 - spiral * 0.14);
  if (Math.abs(x - 0.5 - Math.sin(y * 5) * 0.02) < 0.016 && y > 0.6 && y < 0.95) return [44, 120, 62];
  for (const side of [-1, 1]) {
    const [c, d] = [(x - 0.5) * side - 0.13, y - 0.77];
    if ((c * 0.8 + d * 0.6) ** 2 / 0.0045 + (d * 0.8 - c * 0.6) ** 2 / 0.022 < 1) return mix([60, 150, 76], [30, 96, 52], d * 4 + 0.5);
  }
  return CLEAR;
};

export const SCENES = { dusk, portal, hills, desert, tea, rose } as const;

const drawn = new Map<string, Given>();
/** Drawn once. */
export function scene(which: keyof typeof SCENES, width: number, height: number): Given {
  const key = `${which} ${width} ${height}`;
  const it = drawn.get(key) ?? png(`${which}.png`, width, height, (x, y) => SCENES[which](x, y, width / height));
  drawn.set(key, it);
  return it;
}

/** The tiny preview that goes with a message, as the app makes it. */
export function preview(which: keyof typeof SCENES, aspect: number): string {
  const [width, height] = aspect > 1 ? [64, Math.round(64 / aspect)] : [Math.round(64 * aspect), 64];
  const rgba = new Uint8ClampedArray(width * height * 4);
  for (let at = 0; at < width * height; at++) rgba.set([...SCENES[which]((at % width) / width, Math.floor(at / width) / height, aspect), 255], at * 4);
  return toBase64(encode(width, height, rgba));
}
