import { describe, expect, it } from 'vitest';
import { part } from './part';

const at = (fails: number) => {
  let tries = 0;
  return () => (++tries <= fails ? Promise.reject(new Error('no network')) : Promise.resolve(tries));
};
const now = (): Promise<void> => Promise.resolve();

describe('a part of the app', () => {
  it('is asked for again while the network is bad', async () => {
    expect(await part(at(0), now)).toBe(1);
    expect(await part(at(3), now)).toBe(4);
  });

  it('is given up some time, which is said', async () => {
    await expect(part(at(4), now)).rejects.toThrow('no network');
  });
});
