// Measures what the first load costs, and fails beyond the budget: `npm run size` after `npm run build`.
// First load: index.html, the scripts and styles that it names and what those import at once, for the costliest language.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { brotliCompressSync, gzipSync } from 'node:zlib';

const BUDGET = { code: 104 * 1024, fonts: 120 * 1024 };
const dist = new URL('../dist/', import.meta.url);
if (!existsSync(new URL('index.html', dist))) {
  console.error('There is no dist/index.html: run npm run build first.');
  process.exit(1);
}
const read = (name) => readFileSync(new URL(name, dist));
const html = read('index.html').toString();
const first = new Set();
const walk = (name) => {
  if (first.has(name)) return;
  first.add(name);
  if (!name.endsWith('.js')) return;
  const code = read(name).toString();
  for (const match of code.matchAll(/(?:^|[;}\s])(?:import|export)(?:[^'"()]*?from)?\s*["']\.\/([^"']+)["']/g)) walk(`assets/${match[1]}`);
};
for (const match of html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.(?:js|css))"/g)) walk(match[1]);
// The words of a language that is not built in come with the first load of those who chose it.
const words = readdirSync(new URL('assets/', dist)).filter((name) => /^(en|ar)-.*\.js$/.test(name) && /tagline/.test(read(`assets/${name}`).toString().slice(0, 4000)));
const largest = words.sort((a, b) => statSync(new URL(`assets/${b}`, dist)).size - statSync(new URL(`assets/${a}`, dist)).size)[0];
if (largest) walk(`assets/${largest}`);

let [brotli, gzip] = [0, 0];
for (const name of [...first].sort()) {
  const plain = read(name);
  const [b, g] = [brotliCompressSync(plain).length, gzipSync(plain, { level: 9 }).length];
  brotli += b;
  gzip += g;
  console.log(`${String(plain.length).padStart(8)} ${String(g).padStart(7)} gz ${String(b).padStart(7)} br  ${name}`);
}
const fonts = readdirSync(new URL('assets/', dist)).filter((name) => name.endsWith('.woff2')).reduce((sum, name) => sum + statSync(new URL(`assets/${name}`, dist)).size, 0);
console.log(`first load: ${gzip} bytes gzip, ${brotli} bytes brotli, of ${BUDGET.code}; fonts: ${fonts} of ${BUDGET.fonts}`);

// What the first load is made of, before it is made small: where to look when it grows.
const list = new URL('../.first-load.json', import.meta.url);
if (existsSync(list)) {
  const modules = Object.entries(JSON.parse(readFileSync(list, 'utf8'))).sort(([, a], [, b]) => b - a);
  for (const [id, length] of modules.slice(0, Number(process.env.MODULES ?? 12))) console.log(`${String(length).padStart(8)} plain  ${id}`);
}

const foreign = [];
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.(js|css|html|svg|webmanifest)$/.test(entry.name)) continue;
  const text = readFileSync(`${entry.parentPath}/${entry.name}`, 'utf8');
  for (const match of text.matchAll(/https?:\/\/[a-z0-9.-]+\.[a-z]{2,}[^\s"'`)]*/gi)) {
    // A namespace of XML is a name, and is never fetched; svelte.dev stands in the messages of its errors.
    if (!/^https?:\/\/(www\.w3\.org\/|svelte\.dev\/e\/)/.test(match[0])) foreign.push(`${entry.name}: ${match[0]}`);
  }
}
for (const each of foreign) console.error(`names another origin: ${each}`);
if (gzip > BUDGET.code || fonts > BUDGET.fonts || foreign.length > 0) process.exit(1);
