import type { Entity } from '@chapar/client';
import { LIMITS, tooLarge } from './limits';

export interface Part {
  text: string;
  entities: Entity[];
}

/** Where a text is cut best, best first: between paragraphs, lines, sentences, words. What is matched ends the part before. */
const CUTS = [/\n\s*\n\s*/g, /\n\s*/g, /[.!?؟…۔][)»"”’]*\s+/g, /\s+/g];

/**
 * A text that is too long for a message as several that are not, in order. Nothing is lost but the blanks at the cuts; marks
 * that go over a cut go on behind it.
 */
export function split({ text, entities }: Part, most: number = LIMITS.textUnits): Part[] {
  const parts: Part[] = [];
  let from = 0;
  while (from < text.length) {
    const to = text.length - from <= most ? text.length : cut(text, from, most);
    const part = piece(text, entities, from, to);
    // So many links that they do not fit, though the words do: cut again.
    if (tooLarge(part) && part.text.length > 1) parts.push(...split(part, Math.ceil(part.text.length / 2)));
    else if (part.text !== '') parts.push(part);
    from = to;
  }
  return parts;
}

/** The end of the part that begins at a place; in its second half, so that no part is a crumb. */
function cut(text: string, from: number, most: number): number {
  const room = text.slice(from, from + most);
  for (const kind of CUTS) {
    let best = 0;
    for (const found of room.matchAll(kind)) best = found.index + found[0].length;
    if (best > most / 2) return from + best;
  }
  // One word without end: not in the middle of what is seen as one letter.
  let last = 0;
  if (!('Segmenter' in Intl)) return from + most - (/[\ud800-\udbff]$/.test(room) ? 1 : 0);
  // A little more is looked at: what is cut itself ends in half a letter.
  for (const { index } of new Intl.Segmenter().segment(text.slice(from, from + most + 64))) if (index <= most) last = index;
  return from + (last > 0 ? last : most);
}

/** What stands between two places, without blanks at its ends. */
function piece(text: string, entities: readonly Entity[], from: number, to: number): Part {
  const raw = text.slice(from, to);
  const begin = from + (from === 0 ? 0 : raw.length - raw.trimStart().length);
  const end = begin + text.slice(begin, to).trimEnd().length;
  const inside: Entity[] = [];
  for (const entity of entities) {
    const [first, last] = [Math.max(entity.offset, begin), Math.min(entity.offset + entity.length, end)];
    if (first < last) inside.push({ ...entity, offset: first - begin, length: last - first });
  }
  return { text: text.slice(begin, end), entities: inside };
}
