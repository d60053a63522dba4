import { expect, it } from 'vitest';
import ignoring from '../../.dockerignore?raw';
import building from '../../deploy/Dockerfile?raw';
import config from '../vite.config.ts?raw';

const lines = (text: string): string[] => text.split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
const dockerfile = lines(building);
const ignored = lines(ignoring);
/** Folders with sources that node builds. */
const packages = Object.keys(import.meta.glob(['../package.json', '../../client-sdk/typescript/package.json'])).map((file) =>
  file.replace(/^\.\.\/package/, '../../web/package').replace(/^\.\.\/\.\.\//, '').replace(/\/package\.json$/, ''),
);

it('the container builds the web app before the binary, which takes it in', () => {
  const at = (part: string): number => dockerfile.findIndex((line) => line.includes(part));
  const order = ['AS web', 'npm run build', 'AS build', 'COPY --from=web /src/web/dist web/dist', 'cargo build'].map(at);
  expect(order.every((place) => place >= 0)).toBe(true);
  expect(order).toEqual([...order].sort((a, b) => a - b));
});

it('everything that it copies is there, and what the app is built of is copied', () => {
  const copied = dockerfile.filter((line) => line.startsWith('COPY') && !line.includes('--from')).flatMap((line) => line.split(/\s+/).slice(1, -1));
  expect(copied.filter((source) => source !== '.').sort()).toEqual(packages.sort());
  // Sources outside of web/ that its configuration names.
  const outside = [...config.matchAll(/['"]\.\.\/((?!\.)[\w-]+(?:\/[\w-]+)?)/g)].map(([, source]) => source);
  for (const source of outside) expect(copied, source).toContain(source);
});

it('what people have written, and what was built here, stays out of it', () => {
  for (const each of ['data', 'target', '.git', '**/node_modules', '**/dist']) expect(ignored).toContain(each);
});
