import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const lines = (file: string): string[] => readFileSync(`${root}${file}`, 'utf8').split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
const dockerfile = lines('deploy/Dockerfile');
const ignored = lines('.dockerignore');

it('the container builds the web app before the binary, which takes it in', () => {
  const at = (part: string): number => dockerfile.findIndex((line) => line.includes(part));
  const order = ['AS web', 'npm run build', 'AS build', 'COPY --from=web /src/web/dist web/dist', 'cargo build'].map(at);
  expect(order.every((place) => place >= 0)).toBe(true);
  expect(order).toEqual([...order].sort((a, b) => a - b));
});

it('everything that it copies is there, and what the app is built of is copied', () => {
  const copied = dockerfile.filter((line) => line.startsWith('COPY') && !line.includes('--from')).flatMap((line) => line.split(/\s+/).slice(1, -1));
  for (const source of copied) {
    expect(existsSync(root + source), source).toBe(true);
    expect(ignored, source).not.toContain(source);
  }
  // Sources outside of web/ that its configuration names.
  const outside = readFileSync(`${root}web/vite.config.ts`, 'utf8').matchAll(/['"]\.\.\/((?!\.)[\w-]+(?:\/[\w-]+)?)/g);
  for (const [, source] of outside) expect(copied, source).toContain(source);
});

it('what people have written, and what was built here, stays out of it', () => {
  for (const each of ['data', 'target', '.git', '**/node_modules', '**/dist']) expect(ignored).toContain(each);
});
