import { expect, it } from 'vitest';
import { numbers } from './numbers';

it('numbers are written in the digits of the language', () => {
  expect(numbers('fa')(1405)).toBe('۱٬۴۰۵');
  expect(numbers('ar')(12)).toBe('١٢');
  expect(numbers('en')(12)).toBe('12');
});
