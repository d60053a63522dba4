// Once for the whole run: the server that most scenarios share, and the count of all requests at its end.
import type { TestProject } from 'vitest/node';
import { beginLedger, readLedger } from './ledger';
import { SEED } from './people';
import { Server } from './server';

declare module 'vitest' {
  export interface ProvidedContext {
    url: string;
    folder: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  beginLedger(project.name === 'e2e');
  process.env.E2E_SEED = SEED;
  console.log(`E2E_SEED=${SEED}`);
  const server = await Server.start('--messages-per-second', '0', '--calls-per-minute', '0', '--call-loopback', 'true', '--call-rating-percent', '100');
  project.provide('url', server.url);
  project.provide('folder', server.folder);
  return async () => {
    await server.close();
    const entries = readLedger();
    const sum = (of: (entry: (typeof entries)[number]) => number): number => entries.reduce((all, entry) => all + of(entry), 0);
    const foreign = sum((entry) => entry.foreign.length);
    const violations = sum((entry) => entry.violations.length);
    console.log(`requests of all scenarios: ${sum((entry) => entry.requests)}; to other origins: ${foreign}; breaches of the policy: ${violations}`);
    if (foreign + violations > 0) throw new Error(JSON.stringify(entries.filter((entry) => entry.foreign.length + entry.violations.length > 0), null, 2));
  };
}
