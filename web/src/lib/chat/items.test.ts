import type { MessageView, Outgoing } from '@chapar/client';
import { describe, expect, it } from 'vitest';
import { holds, itemMaker, lastSeq, toItems, type Item } from './items';

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

  it('counts nothing of one\'s own as unread', () => {
    const rows = [row(1, 2, '2026-11-24T12:00:00'), row(2, 1, '2026-11-24T12:00:10'), row(3, 2, '2026-11-24T12:00:20')];
    expect(shape(toItems({ ...base, rows, unreadFrom: 2 }))).toEqual(['day', '1 first last', '2 first last', 'unread', '3 first last']);
    expect(shape(toItems({ ...base, rows: rows.slice(0, 2), unreadFrom: 2 }))).toEqual(['day', '1 first last', '2 first last']);
    // A window that begins after the first unread message has no place for the divider.
    expect(shape(toItems({ ...base, rows: rows.slice(2), unreadFrom: 2 }))).toEqual(['day', '3 first last']);
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
    expect(item?.kind === 'message' && [item.content, item.words, item.body.answers]).toEqual([{ kind: 'poll' }, undefined, false]);
  });
});

describe('itemMaker', () => {
  const base = { me: 1, othersRead: 0, unreadFrom: undefined, outgoing: [] };
  const rows = [row(1, 2, '2026-11-24T12:00:00'), row(2, 1, '2026-11-24T12:00:10'), row(3, 2, '2026-11-24T12:00:20')];

  it('gives the same objects for what has not changed, and others for what has', () => {
    const make = itemMaker();
    const before = make({ ...base, rows });
    const older = make({ ...base, rows: [row(0, 2, '2026-11-24T11:00:00'), ...rows] });
    expect(older.slice(2)).toEqual(before.slice(1));
    for (const [at, item] of older.slice(2).entries()) expect(item).toBe(before[at + 1]);

    const read = make({ ...base, rows, othersRead: 2 });
    expect(read.map((item, at) => item === before[at])).toEqual([true, true, false, true]);
    const edited = make({ ...base, rows: [row(1, 2, '2026-11-24T12:00:00', { version: 9 }), ...rows.slice(1)], othersRead: 2 });
    expect(edited.map((item, at) => item === read[at])).toEqual([true, false, true, true]);
  });

  it('notices that a message is no longer the last of a run', () => {
    const make = itemMaker();
    const [, before] = make({ ...base, rows: rows.slice(0, 1) });
    const [, after] = make({ ...base, rows: [...rows.slice(0, 1), row(2, 2, '2026-11-24T12:00:10')] });
    expect(before).toMatchObject({ last: true });
    expect(after).toMatchObject({ last: false });
  });
});

describe('pictures that were sent together', () => {
  const picture = (seq: number, album: string | undefined, sender = 1, text?: string): MessageView =>
    ({ message: { seq, version: seq, sender, client_id: `c${seq}`, sent_at: '2026-01-01T10:00:00Z', body: { kind: 'photo', file: { id: `f${seq}`, size: 1, mime: 'image/jpeg' }, width: 4, height: 3, ...(album && { album }), ...(text && { text }) } }, myReaction: undefined }) as unknown as MessageView;
  const shown = (rows: MessageView[], outgoing: Outgoing[] = []): Item[] => toItems({ rows, outgoing, me: 1, othersRead: 0, unreadFrom: undefined }).filter((item) => item.kind === 'message');

  it('stand in one bubble, with the words of any of them; others stand for themselves', () => {
    const items = shown([picture(1, 'a'), picture(2, 'a', 1, 'words'), picture(3, 'b'), picture(4, undefined), picture(5, 'b', 2), picture(6, 'b', 2)]);
    expect(items.map((item) => (item.kind === 'message' ? (item.album?.map(({ seq }) => seq) ?? item.seq) : 0))).toEqual([[1, 2], 3, 4, [5, 6]]);
    const [album] = items;
    expect(album?.kind === 'message' && album.words?.text).toBe('words');
    expect(album && lastSeq(album)).toBe(2);
    expect(album && [1, 2, 3].map((seq) => holds(album, seq))).toEqual([true, true, false]);
  });

  it('keep their bubble when they are stored', () => {
    const file = { slot: 'file_id', kind: 'photo', type: 'image/jpeg', size: 1 } as const;
    const out: Outgoing = {
      item: { client_id: 'c1', chat_id: 1, at: 0, order: 0, body: { kind: 'photo', file_id: '' }, rest: [{ client_id: 'c2', body: { kind: 'photo', file_id: '' } }], files: [{ ...file, part: 0 }, { ...file, part: 1 }] },
      state: { state: 'uploading', sent: 0, size: 2 },
    };
    const [before] = shown([], [out]);
    const [after] = shown([picture(1, 'a'), picture(2, 'a')]);
    expect(before?.key).toBe(after?.key);
    expect(before?.kind === 'message' && before.album?.map(({ key }) => key)).toEqual(after?.kind === 'message' && after.album?.map(({ key }) => key));
    expect(before?.kind === 'message' && before.discardable).toBe(true);
  });

  it('that are told again unchanged are the same object, and another when one of them changed', () => {
    const make = itemMaker();
    const rows = [picture(1, 'a'), picture(2, 'a')];
    const of = (given: MessageView[]): Item | undefined => make({ rows: given, outgoing: [], me: 1, othersRead: 0, unreadFrom: undefined }).find((item) => item.kind === 'message');
    const first = of(rows);
    expect(of(rows)).toBe(first);
    expect(of([rows[0] as MessageView, picture(2, 'a')])).not.toBe(first);
  });
});
