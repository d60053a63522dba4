// The table of figures of one run: printed at its end, and kept in e2e/artifacts/figures.json. Each file of figures adds
// to it.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { afterAll } from 'vitest';
import { ARTIFACTS } from '../support/ledger';

const FILE = `${ARTIFACTS}figures.json`;

export const sorted = (all: number[]): number[] => [...all].sort((a, b) => a - b);
export const at = (all: number[], share: number): number => sorted(all)[Math.min(all.length - 1, Math.floor(all.length * share))] ?? NaN;
export const ms = (all: number[]): string => `median ${at(all, 0.5).toFixed(1)} ms, p95 ${at(all, 0.95).toFixed(1)} ms, worst ${at(all, 1).toFixed(1)} ms (n=${all.length})`;

/** Opens the table of one file; it is printed and kept when the file's tests have ended. */
export function table(): (name: string, value: string) => void {
  const figures: Record<string, string> = {};
  afterAll(() => {
    figures['machine'] = `${cpus().length} × ${cpus()[0]?.model}`;
    console.table(figures);
    mkdirSync(ARTIFACTS, { recursive: true });
    const before = existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, string>) : {};
    writeFileSync(FILE, JSON.stringify({ ...before, ...figures }, null, 2));
  });
  return (name, value) => void (figures[name] = value);
}
