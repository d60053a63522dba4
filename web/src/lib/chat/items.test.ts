import type { MessageView, Outgoing } from '@chapar/client';
import { describe, expect, it } from 'vitest';
import { toItems, type Item } from './items';

const row = (seq: number, sender: number, at: string, more: object = {}): MessageView =>
  ({
    message: { seq, version: seq, sender, client_id: `c${seq}`, sent_at: at, body: { kind: 'text', text: `m${seq}` }, ...more },
    myReaction: undefined,
  }) as MessageView;

const out = (id: string, state: Outgoing['state']): Outgoing => ({
  item: { client_id: id, chat_id: 1, body: { kind: 'text', text: id }, at: new Date('2026-11-24T12:10:00').getTime(), order: 1 },
  state,
});

const shape = (items: Item[]): string[] =>
  items.map((item) => (item.kind === 'message' ? `${item.seq ?? item.clientId}${item.first ? ' first' : ''}${item.last ? ' last' : ''}` : item.kind));

describe('toItems', () => {
  const base = { me: 1, othersRead: 0, unreadFrom: undefined, outgoing: [] };

  it('separates days and groups what one wrote in one go', () => {
    const rows = [
      row(1, 2, '2026-11-23T12:00:00'),
      row(2, 2, '2026-11-24T12:00:00'),
      row(3, 2, '2026-11-24T12:01:00'),
      row(4, 1, '2026-11-24T12:01:30'),
      row(5, 1, '2026-11-24T12:09:00'),
    ];
    expect(shape(toItems({ ...base, rows }))).toEqual([
      'day',
      '1 first last',
      'day',
      '2 first',
      '3 last',
      '4 first last',
      '5 first last',
    ]);
  });

  it('puts the divider before the first unread', () => {
    const rows = [row(1, 2, '2026-11-24T12:00:00'), row(2, 2, '2026-11-24T12:00:10')];
    expect(shape(toItems({ ...base, rows, unreadFrom: 2 }))).toEqual(['day', '1 first last', 'unread', '2 first last']);
  });

  it('keeps the key of a message when it is stored, and never shows it twice', () => {
    const waiting = toItems({ ...base, rows: [], outgoing: [out('c9', { state: 'waiting', written: false })] });
    const stored = toItems({ ...base, rows: [row(9, 1, '2026-11-24T12:10:00')], outgoing: [out('c9', { state: 'waiting', written: true })] });
    expect(waiting.at(-1)?.key).toBe(stored.at(-1)?.key);
    expect(stored.filter((item) => item.kind === 'message')).toHaveLength(1);
  });

  it('says how far an own message has come', () => {
    const rows = [row(1, 1, '2026-11-24T12:00:00'), row(2, 1, '2026-11-24T12:00:10'), row(3, 2, '2026-11-24T12:00:20')];
    const marks = toItems({ ...base, rows, othersRead: 1, outgoing: [out('x', { state: 'failed', error: { code: 'forbidden', message: '', action: 'give_up' } })] });
    expect(marks.map((item) => (item.kind === 'message' ? item.mark : item.kind))).toEqual(['day', 'read', 'sent', undefined, 'failed']);
  });

  it('keeps bodies of unknown kinds', () => {
    const [, item] = toItems({ ...base, rows: [row(1, 2, '2026-11-24T12:00:00', { body: { kind: 'poll' } })] });
    expect(item?.kind === 'message' && item.content).toEqual({ type: 'unknown' });
  });
});
