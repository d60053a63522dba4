// How large the SDK is in a browser: minified and compressed, each entry by itself. Fails beyond the bounds.
import { build } from "esbuild";
import { brotliCompressSync, gzipSync } from "node:zlib";

// What an entry loads only when it is wanted (uploads, links) is not counted: an application's bundler makes files of it.
const BOUNDS = { "src/index.ts": 27_500, "src/call/index.ts": 14_000, "src/text/index.ts": 8_000 };
let failed = false;
for (const [entry, bound] of Object.entries(BOUNDS)) {
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, minify: true, write: false, splitting: true, outdir: "out", format: "esm", target: "es2022" });
  const first = outputFiles.find((it) => it.path.endsWith("index.js"));
  const needed = new Set([first, ...outputFiles.filter((it) => first.text.match(/from"\.\/chunk-[A-Z0-9]+\.js"/g)?.some((from) => from.includes(it.path.split("/").at(-1))))]);
  const text = Buffer.concat([...needed].map((it) => it.contents));
  const zipped = gzipSync(text, { level: 9 }).length;
  failed ||= zipped > bound;
  console.log(`${entry}: ${text.length} bytes, gzip ${zipped} (bound ${bound}), brotli ${brotliCompressSync(text).length}`);
}
process.exit(failed ? 1 : 0);
