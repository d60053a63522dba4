// How large the SDK is in a browser: minified and compressed, each entry by itself. Fails beyond the bounds.
import { build } from "esbuild";
import { brotliCompressSync, gzipSync } from "node:zlib";

const BOUNDS = { "src/index.ts": 22_500, "src/call/index.ts": 14_000, "src/text/index.ts": 8_000 };
let failed = false;
for (const [entry, bound] of Object.entries(BOUNDS)) {
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, minify: true, write: false, format: "esm", target: "es2022" });
  const text = outputFiles[0].contents;
  const zipped = gzipSync(text, { level: 9 }).length;
  failed ||= zipped > bound;
  console.log(`${entry}: ${text.length} bytes, gzip ${zipped} (bound ${bound}), brotli ${brotliCompressSync(text).length}`);
}
process.exit(failed ? 1 : 0);
