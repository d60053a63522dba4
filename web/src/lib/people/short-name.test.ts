import { expect, it } from 'vitest';
import { shortName } from './short-name';

it('a long name gives way to what is said of its bearer', () => {
  expect(shortName('سید محمدرضا حسینی‌نژاد طباطبایی اصفهانی')).toBe('سید محمدرضا');
  expect(shortName('John Appleseed')).toBe('John Appleseed');
  expect(shortName('Wolfeschlegelsteinhausenbergerdorff')).toBe('Wolfeschlegelsteinhausenbergerdorff');
  expect(shortName('امیر')).toBe('امیر');
});
