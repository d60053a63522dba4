// What every browser of every scenario asked for and complained of, in one file: summed up at the end of the run.
import { appendFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const ARTIFACTS = fileURLToPath(new URL('../artifacts/', import.meta.url));
const FILE = `${ARTIFACTS}ledger.jsonl`;

export interface Entry {
  scenario: string;
  requests: number;
  foreign: string[];
  violations: string[];
}

/** `everything`: also what failures of an earlier run have left. */
export function beginLedger(everything: boolean): void {
  rmSync(everything ? ARTIFACTS : FILE, { recursive: true, force: true });
  mkdirSync(ARTIFACTS, { recursive: true });
}

export function record(entry: Entry): void {
  appendFileSync(FILE, `${JSON.stringify(entry)}\n`);
}

export function readLedger(): Entry[] {
  try {
    const lines = readFileSync(FILE, 'utf8').trim().split('\n');
    return lines.filter(Boolean).map((line) => JSON.parse(line) as Entry);
  } catch {
    return [];
  }
}
