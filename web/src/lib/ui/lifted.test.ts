import { describe, expect, it } from 'vitest';
import { placeLifted } from './lifted';

const SCREEN = { width: 360, height: 740 };
const QUICK = { width: 330, height: 52 };
const ROWS = { width: 208, height: 192 };
const bubble = (left: number, top: number, width: number, height: number) => ({ left, right: left + width, top, width, height });

describe('a lifted message', () => {
  it.each([
    ['in the middle', bubble(12, 300, 200, 60)],
    ['at the upper edge', bubble(12, -20, 200, 60)],
    ['at the lower edge', bubble(148, 700, 200, 60)],
    ['higher than the screen', bubble(12, -400, 300, 1_600)],
    ['as wide as the screen', bubble(4, 300, 352, 60)],
    ['of one letter', bubble(268, 600, 80, 40)],
  ])('%s stands on the screen with all that can be done', (_, from) => {
    const at = placeLifted(from, QUICK, ROWS, SCREEN);
    expect(at.quickTop).toBeGreaterThanOrEqual(8);
    expect(at.top).toBeGreaterThanOrEqual(at.quickTop + QUICK.height);
    expect(at.rowsTop).toBeGreaterThanOrEqual(at.top + at.height);
    expect(at.rowsTop + ROWS.height).toBeLessThanOrEqual(SCREEN.height - 8);
    for (const [left, { width }] of [[at.quickLeft, QUICK], [at.rowsLeft, ROWS]] as const) {
      expect(left).toBeGreaterThanOrEqual(8);
      expect(left + width).toBeLessThanOrEqual(SCREEN.width - 8);
    }
  });

  it('does not move where there is room around it, and its menu keeps to its side', () => {
    const own = placeLifted(bubble(12, 300, 120, 60), QUICK, ROWS, SCREEN);
    expect([own.top, own.height, own.rowsLeft]).toEqual([300, 60, 12]);
    const other = placeLifted(bubble(228, 300, 120, 60), QUICK, ROWS, SCREEN);
    expect(other.rowsLeft + ROWS.width).toBe(348);
  });

  it('of which one can do nothing but react, or nothing but act, leaves no hole', () => {
    const at = placeLifted(bubble(12, 4, 200, 60), { width: 0, height: 0 }, ROWS, SCREEN);
    expect(at.top).toBe(8);
  });
});
