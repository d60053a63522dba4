import { expect, it } from 'vitest';
import { albumLayout } from './album';

/** Shapes of a seed, from strips to posters. */
const shapes = (count: number, seed: number): number[] => Array.from({ length: count }, (_, at) => 0.1 + (((seed * 7919 + at * 104729) % 1000) / 1000) ** 2 * 5);

it('an album fills its square, whatever the shapes, without a gap, an overlap or a sliver', () => {
  for (let count = 1; count <= 10; count++) {
    for (let seed = 0; seed < 50; seed++) {
      const cells = albumLayout(shapes(count, seed));
      expect(cells).toHaveLength(count);
      expect(cells.reduce((sum, { width, height }) => sum + width * height, 0)).toBeCloseTo(10_000, 3);
      for (const { top, start, width, height } of cells) {
        expect(Math.min(width, height), `${count} of seed ${seed}`).toBeGreaterThan(8);
        expect(top + height).toBeLessThan(100.01);
        expect(start + width).toBeLessThan(100.01);
      }
      for (const [at, a] of cells.entries()) {
        for (const b of cells.slice(at + 1)) {
          const across = Math.min(a.start + a.width, b.start + b.width) - Math.max(a.start, b.start);
          const down = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
          expect(across < 0.001 || down < 0.001, `${count} of seed ${seed}`).toBe(true);
        }
      }
    }
  }
});
