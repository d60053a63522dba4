import { describe, expect, it } from 'vitest';
import { findByDate } from './find-date';

describe('findByDate', () => {
  const minute = 60_000;
  const start = new Date('2026-01-01T00:00:00Z').getTime();
  const at = (seq: number): Date => new Date(start + seq * minute);

  it.each([1, 2, 3, 10, 100, 100_000])('finds the first message from a moment on among %i', async (last) => {
    for (const wanted of [1, 2, Math.ceil(last / 3), last - 1, last].filter((seq) => seq >= 1 && seq <= last)) {
      let asked = 0;
      const found = await findByDate(at(wanted), last, (seq) => {
        asked += 1;
        expect(seq).toBeGreaterThanOrEqual(1);
        expect(seq).toBeLessThanOrEqual(last);
        return Promise.resolve(at(seq));
      });
      expect(found).toBe(wanted);
      expect(asked).toBeLessThanOrEqual(40);
    }
  });

  it('takes the nearest when the day is before the first or after the last', async () => {
    const sentAt = (seq: number) => Promise.resolve(at(seq));
    expect(await findByDate(new Date(0), 50, sentAt)).toBe(1);
    expect(await findByDate(new Date('2030-01-01'), 50, sentAt)).toBe(50);
    expect(await findByDate(new Date(0), 0, sentAt)).toBe(1);
  });
});
