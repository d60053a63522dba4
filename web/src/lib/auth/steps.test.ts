import { describe, expect, it } from 'vitest';
import { missing } from './steps';

describe('making an account', () => {
  it('goes on only with what the server would take', () => {
    expect(['', '  ', 'مینا'].map((name) => missing('name', name, 'up'))).toEqual(['bad_title', 'bad_title', undefined]);
    expect(['', 'ab', '1abc', 'مینا', 'a'.repeat(33), 'mina', '@Mina', 'mina_۱۲'].map((handle) => missing('handle', handle, 'up'))).toEqual([
      'bad_handle', 'bad_handle', 'bad_handle', 'bad_handle', 'bad_handle', undefined, undefined, undefined,
    ]);
    // The server counts bytes: four Persian letters are eight.
    expect(['', '1234567', '12345678', 'رمزم', 'x'.repeat(1025)].map((password) => missing('password', password, 'up'))).toEqual([
      'bad_password', 'bad_password', undefined, undefined, 'bad_password',
    ]);
  });

  it('leaves the judgement to the server when somebody signs in', () => {
    expect([missing('handle', 'ab', 'in'), missing('password', 'short', 'in')]).toEqual([undefined, undefined]);
    expect([missing('handle', '@', 'in'), missing('password', '', 'in')]).toEqual(['bad_handle', 'bad_password']);
  });
});
