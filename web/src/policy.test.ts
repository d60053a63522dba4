import { expect, it } from 'vitest';
import server from '../../server/src/http/web.rs?raw';
import config from '../vite.config.ts?raw';

/** The policy as it is written: a string, in Rust over several lines, here in several pieces. */
const policyOf = (source: string): string | undefined => {
  const from = source.indexOf("default-src 'none'");
  const text = source.slice(from, source.indexOf(';\n', source.indexOf('frame-ancestors', from)));
  return from < 0 ? undefined : text.replace(/\\\n\s*/g, '').replace(/"\s*\+\s*"/g, '').replace(/"\s*$/, '').replace(/\s+/g, ' ').trim();
};

it('the build is looked at under the same policy as the server sends', () => {
  expect(policyOf(server)).toContain("frame-ancestors 'none'");
  expect(policyOf(config)).toBe(policyOf(server));
});
