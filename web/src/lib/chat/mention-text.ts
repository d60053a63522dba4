import type { Entity } from '@chapar/client';
import { recognise } from '@chapar/client/text';

/** A text with its marks. */
export interface Words {
  text: string;
  entities: Entity[];
}

/** Most mentions of one text. */
const MOST = 50;

/** Marks what reads as somebody's handle and stands in no code, link or other mention. */
export function mark({ text, entities }: Words, userOf: (handle: string) => number | undefined): Words {
  const taken = entities.filter(({ type }) => type === 'code' || type === 'pre' || type === 'link' || type === 'mention');
  const found: Entity[] = [];
  for (const { kind, from, to } of recognise(text)) {
    if (kind !== 'handle' || found.length >= MOST || taken.some(({ offset, length }) => offset < to && offset + length > from)) continue;
    const user_id = userOf(text.slice(from + 1, to).toLowerCase());
    if (user_id !== undefined) found.push({ offset: from, length: to - from, type: 'mention', user_id });
  }
  if (found.length === 0) return { text, entities };
  const all = [...entities, ...found].sort((a, b) => a.offset - b.offset || b.length - a.length);
  return { text, entities: all };
}

/** What of a name is being typed behind an `@`, before a place; nothing where none is. */
export function typedBefore(text: string, at: number): string | undefined {
  const found = /(?:^|[^\p{L}\p{N}\p{M}_@./])@([\p{L}\p{N}\p{M}_\u200c]{0,32})$/u.exec(text.slice(Math.max(0, at - 40), at));
  return found?.[1];
}
