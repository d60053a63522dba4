import { describe, expect, it } from 'vitest';
import { hashOf, parseRoute, tokenIn } from './routes';

describe('routes', () => {
  it.each([
    ['#/', { at: 'list' }],
    ['#/chat/12', { at: 'chat', chatId: 12 }],
    ['#/chat/12/345', { at: 'chat', chatId: 12, seq: 345 }],
    ['#/join/4096-AbcdefghIJ-klmnop_1234', { at: 'join', token: '4096-AbcdefghIJ-klmnop_1234' }],
    ['#/settings', { at: 'settings' }],
    ['#/calls', { at: 'calls' }],
    ['#/requests', { at: 'requests' }],
  ] as const)('%s', (hash, route) => {
    expect(parseRoute(hash)).toEqual(route);
    expect(hashOf(route)).toBe(hash);
  });

  it.each(['', '#', '#/chat/0', '#/chat/-1', '#/chat/x', '#/chat/1/2/3', '#/chat/99999999999999999', '#javascript:1', '#/join/4096', '#/join/x-AbcdefghIJ-klmnop_1234'])('%s is the list', (hash) => {
    expect(parseRoute(hash)).toEqual({ at: 'list' });
  });

  it('finds an invite link in what was pasted', () => {
    const token = '4096-AbcdefghIJ-klmnop_1234';
    for (const text of [token, ` https://chat.example/#/join/${token}\n`]) expect(tokenIn(text)).toBe(token);
    for (const text of ['sara', '4096-short', `${token}5`, `x${token}`]) expect(tokenIn(text)).toBeUndefined();
  });
});
