// Whether the built files keep to the browsers that are promised: `npm run compat` after `npm run build`.
// The build lowers syntax and no more; what a browser must have by itself is looked for here, by name.
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** The oldest browsers that are promised, as vite.config.ts has them. */
const PROMISED = { chrome: 96, firefox: 115, safari: 15.4 };

/** What came later than some of them, with when it came (MDN's compatibility data). `where` says which files have it. */
const LATER = [
  { name: 'lookbehind in a regular expression', find: /\(\?<[=!]/g, where: 'js', chrome: 62, firefox: 78, safari: 16.4 },
  { name: 'regular expressions with the flag v', find: /\/[dgimsuy]*v[dgimsuy]*\.(?:test|exec)\(/g, where: 'js', chrome: 112, firefox: 116, safari: 17 },
  { name: 'structuredClone', find: /\bstructuredClone\(/g, where: 'js', chrome: 98, firefox: 94, safari: 15.4 },
  { name: 'findLast', find: /\.findLast(?:Index)?\(/g, where: 'js', chrome: 97, firefox: 104, safari: 15.4 },
  { name: 'toSorted and its kind', find: /\.(?:toSorted|toReversed|toSpliced)\(/g, where: 'js', chrome: 110, firefox: 115, safari: 16 },
  { name: 'AbortSignal.timeout', find: /AbortSignal\.timeout\(/g, where: 'js', chrome: 103, firefox: 100, safari: 16 },
  { name: 'AbortSignal.any', find: /AbortSignal\.any\(/g, where: 'js', chrome: 116, firefox: 124, safari: 17.4 },
  { name: 'Promise.withResolvers', find: /Promise\.withResolvers\(/g, where: 'js', chrome: 119, firefox: 121, safari: 17.4 },
  { name: 'Promise.try', find: /Promise\.try\(/g, where: 'js', chrome: 128, firefox: 134, safari: 18.2 },
  { name: 'groupBy', find: /(?:Object|Map)\.groupBy\(/g, where: 'js', chrome: 117, firefox: 119, safari: 17.4 },
  { name: 'Array.fromAsync', find: /Array\.fromAsync\(/g, where: 'js', chrome: 121, firefox: 115, safari: 16.4 },
  { name: 'isWellFormed', find: /\.(?:isWellFormed|toWellFormed)\(/g, where: 'js', chrome: 111, firefox: 119, safari: 16.4 },
  { name: 'URL.canParse', find: /URL\.(?:canParse|parse)\(/g, where: 'js', chrome: 120, firefox: 115, safari: 17 },
  { name: 'Intl.DurationFormat', find: /Intl\.DurationFormat/g, where: 'js', chrome: 129, firefox: 136, safari: 16.4 },
  { name: 'IntersectionObserver.scrollMargin', find: /scrollMargin/g, where: 'js', chrome: 120, firefox: 141, safari: 18 },
  { name: 'scrollend', find: /["']scrollend["']/g, where: 'js', chrome: 114, firefox: 109, safari: Infinity },
  { name: 'requestIdleCallback', find: /requestIdleCallback(?!\s*\?\?|\?\.)/g, where: 'js', chrome: 47, firefox: 55, safari: Infinity },
  { name: 'color-mix()', find: /color-mix\(/g, where: 'css', chrome: 111, firefox: 113, safari: 16.2 },
  { name: 'oklch()', find: /oklch\(/g, where: 'css', chrome: 111, firefox: 113, safari: 15.4 },
  { name: 'light-dark()', find: /light-dark\(/g, where: 'css', chrome: 123, firefox: 120, safari: 17.5 },
  { name: ':has()', find: /:has\(/g, where: 'css', chrome: 105, firefox: 121, safari: 15.4 },
  { name: ':popover-open', find: /:popover-open/g, where: 'css', chrome: 114, firefox: 125, safari: 17 },
  { name: '@container', find: /@container/g, where: 'css', chrome: 105, firefox: 110, safari: 16 },
  { name: '@layer', find: /@layer/g, where: 'css', chrome: 99, firefox: 97, safari: 15.4 },
  { name: '@scope', find: /@scope/g, where: 'css', chrome: 118, firefox: 128, safari: 17.4 },
  { name: 'nesting', find: /[{};]\s*&/g, where: 'css', chrome: 120, firefox: 117, safari: 17.2 },
  { name: 'subgrid', find: /subgrid/g, where: 'css', chrome: 117, firefox: 71, safari: 16 },
  { name: 'media ranges', find: /@media[^{]*[<>]/g, where: 'css', chrome: 104, firefox: 63, safari: 16.4 },
  { name: 'dvh and its kind', find: /\d[ds]v[hwbi]\b/g, where: 'css', chrome: 108, firefox: 101, safari: 15.4 },
  { name: 'lh', find: /\d(?:lh|rlh)\b/g, where: 'css', chrome: 109, firefox: 120, safari: 16.4 },
];

/**
 * Uses that an older browser takes without harm, with why. A use beyond the number of them fails: it wants a look.
 */
const HARMLESS = [
  { name: 'structuredClone', file: /index-.*\.js/, uses: 2, why: 'Svelte clones dates by it, of which there are none, and the rest inside `try`' },
  { name: 'requestIdleCallback', file: /index-.*\.js/, uses: 1, why: 'asked for before it is used, with a timer in its place' },
  { name: 'dvh and its kind', file: /\.css/, uses: 20, why: 'a height that is not understood is none: the box is as high as what is in it, and scrolls' },
  { name: 'lh', file: /\.css/, uses: 2, why: 'the least height of an empty line' },
];

const dist = new URL('../dist/', import.meta.url);
if (!existsSync(new URL('index.html', dist))) {
  console.error('There is no dist/index.html: run npm run build first.');
  process.exit(1);
}
const target = /PROMISED = \[([^\]]+)\]/.exec(readFileSync(new URL('../vite.config.ts', import.meta.url), 'utf8'))?.[1] ?? '';
for (const [browser, version] of Object.entries(PROMISED)) {
  if (target.includes(`'${browser}${version}'`)) continue;
  console.error(`vite.config.ts builds for [${target}], and not for ${browser} ${version}`);
  process.exit(1);
}

const missing = (feature) => Object.keys(PROMISED).filter((browser) => feature[browser] > PROMISED[browser]);
const wrong = [];
for (const name of readdirSync(dist, { recursive: true }).map(String)) {
  const kind = /\.(js|css)$/.exec(name)?.[1];
  if (!kind) continue;
  const text = readFileSync(new URL(name, dist), 'utf8');
  for (const feature of LATER) {
    if (feature.where !== kind || missing(feature).length === 0) continue;
    const uses = text.match(feature.find)?.length ?? 0;
    const harmless = HARMLESS.find((each) => each.name === feature.name && each.file.test(name));
    if (uses > (harmless?.uses ?? 0)) wrong.push(`${name}: ${feature.name}, ${uses} times; not in ${missing(feature).map((browser) => `${browser} ${PROMISED[browser]}`).join(', ')}`);
  }
}
for (const each of wrong) console.error(each);
if (wrong.length > 0) process.exit(1);
console.log(`built files keep to ${Object.entries(PROMISED).map(([browser, version]) => `${browser} ${version}`).join(', ')}: ${LATER.length} later features looked for`);
