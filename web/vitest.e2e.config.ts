import { defineConfig } from 'vitest/config';

// Scenarios against the real server in a real browser, one after the other: `npm run e2e`.
export default defineConfig({
  test: {
    globalSetup: ['e2e/support/global.ts'],
    include: ['e2e/*.test.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ['verbose'],
  },
});
