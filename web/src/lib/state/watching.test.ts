import { describe, expect, it } from 'vitest';
import { Watching } from './watching';

function watching(): { it: Watching; asked: number[][] } {
  const asked: number[][] = [];
  return { it: new Watching(async (ids) => void asked.push(ids)), asked };
}

describe('watching who is online', () => {
  it('asks once for the same people', () => {
    const { it, asked } = watching();
    it.set([1, 2]);
    it.set([2, 1]);
    it.set([2, 1, 3]);
    expect(asked).toEqual([[1, 2], [2, 1, 3]]);
  });

  it('asks again, once, when somebody who was left out first writes', () => {
    const { it, asked } = watching();
    it.set([1, 2]);
    it.answered(2);
    it.answered(2);
    it.answered(7);
    expect(asked).toEqual([[1, 2], [1, 2]]);
  });

  it('asks anew on a new connection', () => {
    const { it, asked } = watching();
    it.set([1]);
    it.answered(1);
    it.lost();
    it.answered(1);
    it.set([1]);
    it.answered(1);
    expect(asked).toHaveLength(4);
  });

  it('asks again after a refusal', async () => {
    let refused = 0;
    const it = new Watching(() => Promise.reject(new Error(`${++refused}`)));
    it.set([1]);
    await Promise.resolve();
    it.set([1]);
    expect(refused).toBe(2);
  });
});
