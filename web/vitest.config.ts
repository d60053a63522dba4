import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { alias: { '@chapar/client/text': fileURLToPath(new URL('../client-sdk/typescript/src/text/index.ts', import.meta.url)) } },
  test: { include: ['src/**/*.test.ts', 'scripts/*.test.mjs'], environment: 'node' },
});
