import { defineConfig } from 'vitest/config';

const one = { globalSetup: ['e2e/support/global.ts'], fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 };

// In a real browser against the real server, one after the other:
// `npm run e2e` what people do; `npm run measure` how fast it is; `npm run screenshots` what it looks like.
export default defineConfig({
  test: {
    reporters: ['verbose'],
    fileParallelism: false,
    projects: [
      { test: { ...one, name: 'e2e', include: ['e2e/*.test.ts'] } },
      { test: { ...one, name: 'measure', include: ['e2e/measure/*.test.ts'] } },
      { test: { ...one, name: 'screenshots', include: ['e2e/pictures/*.test.ts'] } },
    ],
  },
});
