import { expect, test } from 'vitest';
import { placed } from './placed';

test.each([1, 2, 3, 4, 5])('one member after the other is put where it belongs, as a sort would (seed %i)', (seed) => {
  let drawn = seed * 7_919;
  const random = (bound: number): number => (drawn = (drawn * 48_271) % 2_147_483_647) % bound;
  const moments = new Map<number, number>();
  const newest = (a: number, b: number): number => (moments.get(b) as number) - (moments.get(a) as number) || b - a;
  let list: readonly number[] = [];
  for (let turn = 0; turn < 1_000; turn++) {
    const it = random(40);
    if (random(6) === 0) {
      moments.delete(it);
      list = placed(list, it, undefined);
    } else {
      // Several have the same moment; a message may be deleted, so that one goes down, too.
      moments.set(it, random(60));
      list = placed(list, it, (other) => newest(it, other) < 0);
    }
    expect(list).toEqual([...moments.keys()].sort(newest));
  }
});

test('nothing that stays where it is makes a new list', () => {
  const list = [5, 3, 1];
  expect(placed(list, 3, (other) => 3 > other)).toBe(list);
  expect(placed(list, 5, (other) => 5 > other)).toBe(list);
  expect(placed(list, 7, undefined)).toBe(list);
  expect(placed(list, 1, (other) => 9 > other)).toEqual([1, 5, 3]);
});
