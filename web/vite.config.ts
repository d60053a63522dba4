import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { compress } from './scripts/compress.mjs';
import { fields } from './scripts/fields.mjs';
import { firstLoad } from './scripts/first-load.mjs';
import { licences } from './scripts/licences.mjs';
import { serviceWorker } from './scripts/service-worker.mjs';

/** Where `npm run dev` finds a running server. */
const SERVER = process.env['CHAPAR_URL'] ?? 'http://127.0.0.1:8080';

const proxy = {
  '/api': { target: SERVER },
  '/files': { target: SERVER },
  '/ws': { target: SERVER, ws: true },
};

/** What `server/src/http/web.rs` sends. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
  "media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'";

/** The SDK is built from its sources, so that one build makes the app. */
const sdk = (path: string): string => fileURLToPath(new URL(`../client-sdk/typescript/src/${path}`, import.meta.url));

/** The oldest browsers that are promised; `npm run compat` looks through the built files for what they lack. */
const PROMISED = ['chrome96', 'firefox115', 'safari15.4'];

const first = firstLoad();

export default defineConfig({
  resolve: {
    alias: [
      { find: /^@chapar\/client\/call$/, replacement: sdk('call/index.ts') },
      { find: /^@chapar\/client\/text$/, replacement: sdk('text/index.ts') },
      { find: /^@chapar\/client$/, replacement: sdk('index.ts') },
    ],
  },
  plugins: [svelte(), first.plugin, fields(), licences(), serviceWorker(), compress()],
  build: {
    // Of what lies between these and the promised ones there is only what `fields` sees to.
    target: ['chrome98', 'firefox115', 'safari16.4'],
    cssTarget: PROMISED,
    // A data: URL would be a hole in the Content-Security-Policy; every asset is a file of its own.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        // One file for the first load: on a slow network each further file costs a turn of its own.
        codeSplitting: { groups: [{ name: 'app', test: first.has }] },
      },
    },
  },
  server: { proxy },
  // For looking at the build without the server's binary: under the same policy as there.
  preview: { proxy, headers: { 'Content-Security-Policy': POLICY } },
});
