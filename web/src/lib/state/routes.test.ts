import { describe, expect, it } from 'vitest';
import { hashOf, parseRoute } from './routes';

describe('routes', () => {
  it.each([
    ['#/', { at: 'list' }],
    ['#/chat/12', { at: 'chat', chatId: 12 }],
    ['#/chat/12/345', { at: 'chat', chatId: 12, seq: 345 }],
    ['#/settings', { at: 'settings' }],
    ['#/calls', { at: 'calls' }],
    ['#/requests', { at: 'requests' }],
  ] as const)('%s', (hash, route) => {
    expect(parseRoute(hash)).toEqual(route);
    expect(hashOf(route)).toBe(hash);
  });

  it.each(['', '#', '#/chat/0', '#/chat/-1', '#/chat/x', '#/chat/1/2/3', '#/chat/99999999999999999', '#javascript:1'])('%s is the list', (hash) => {
    expect(parseRoute(hash)).toEqual({ at: 'list' });
  });
});
