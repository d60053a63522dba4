import { describe, expect, test } from 'vitest';
import { alike, drawn } from './alike';

describe('names that an eye takes for the same', () => {
  for (const [one, other] of [
    ['Ann Reed', 'Аnn Reed'], // Cyrillic А
    ['Ann Reed', 'ann  reed'],
    ['Ann Reed', 'Ann Reed ✓'],
    ['Ann Reed', 'Ann\u200bReed'],
    ['Ann Reed', 'Ánn Reéd'],
    ['Ann Reed', 'Ａnn Ｒeed'], // full width
    ['Paul Ivanov', 'PauI lvanov'], // capital i, small L
    ['Bill', 'Bi11'],
    ['Bill', 'Bi||'],
    ['Otto', '0tto'],
    ['Morn', 'Mom'],
    ['Willi', 'VVilli'],
    ['KATE', 'ΚΑΤΕ'], // Greek
    ['Scope', 'Ѕсоре'],
    ['علی کریمی', 'علي كريمي'],
    ['علی کریمی', 'علی‌کریمی'],
    ['علی کریمی', 'عـلی کریمی'],
    ['علی کریمی', 'عَلی کریمی'],
    ['آرش', 'ارش'],
    ['فاطمه', 'فاطمة'],
    ['گروه ۱', 'گروه 1'],
    ['سارا رضایی', 'سارا رضایی 🌹'],
    ['رؤیا', 'رویا'],
    ['کوروش', 'ڪوروش'],
  ] as const) {
    test(`${one} and ${other}`, () => expect(drawn(one)).toBe(drawn(other)));
  }
});

describe('names that are told apart', () => {
  for (const [one, other] of [
    ['Ann Reed', 'Ann Reel'],
    ['Ann Reed', 'Anna Reed'],
    ['علی کریمی', 'علی کریم'],
    ['سارا', 'سارا رضایی'],
    ['مینا', 'مینو'],
    ['گروه ۱', 'گروه ۲'],
    ['🌹', '🌷'],
    ['李', '季'],
  ] as const) {
    test(`${one} and ${other}`, () => expect(drawn(one)).not.toBe(drawn(other)));
  }
});

test('whoever may be mistaken is found, however many bear the name, and nobody else', () => {
  const found = alike([[1, 'Ann Reed'], [2, 'Sara'], [3, 'Аnn Reed'], [4, 'ann reed'], [5, 'علی'], [6, 'علي'], [7, 'John']]);
  expect([...found].sort()).toEqual([1, 3, 4, 5, 6]);
});
