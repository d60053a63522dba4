import type { Entity } from '@chapar/client';

/** Marks that are typed alike on both sides of a stretch. The longer ones come first. */
const PAIRS = [
  ['**', 'bold'],
  ['__', 'italic'],
  ['++', 'underline'],
  ['~~', 'strike'],
  ['||', 'spoiler'],
] as const;

type PairType = (typeof PAIRS)[number][1];

/** A text as it is sent: plain, with the marks beside it. Offsets count UTF-16 code units. */
export interface Marked {
  text: string;
  entities: Entity[];
}

/**
 * Reads Markdown-like typing: `**bold**`, `__italic__`, `++underline++`, `~~strike~~`, `||spoiler||`, `` `code` ``,
 * ```` ```language ⏎ pre``` ````, `[text](https://…)` and `> quote` at the beginning of a line. A backslash before one of
 * these signs takes its meaning away. What is not closed stays as it was typed.
 */
export function parseMarkup(source: string): Marked {
  const out = new Writer();
  parseBlocks(source, out);
  return out.finish();
}

/** Writes a marked text as it would be typed, for editing. `parseMarkup(toMarkup(m))` gives `m` back, for nested marks. */
export function toMarkup({ text, entities }: Marked): string {
  const opens = new Map<number, string[]>();
  const closes = new Map<number, string[]>();
  const verbatim: [number, number][] = [];
  const quoteStarts = new Set<number>();
  const add = (map: Map<number, string[]>, at: number, sign: string, first: boolean): void => {
    const list = map.get(at) ?? [];
    if (first) list.unshift(sign);
    else list.push(sign);
    map.set(at, list);
  };
  for (const entity of [...entities].sort((a, b) => a.offset - b.offset || b.length - a.length)) {
    const end = entity.offset + entity.length;
    const pair = PAIRS.find(([, type]) => type === entity.type);
    if (pair) {
      add(opens, entity.offset, pair[0], false);
      add(closes, end, pair[0], true);
    } else if (entity.type === 'code') {
      add(opens, entity.offset, '`', false);
      add(closes, end, '`', true);
      verbatim.push([entity.offset, end]);
    } else if (entity.type === 'pre') {
      const language = 'language' in entity && typeof entity.language === 'string' ? entity.language : '';
      add(opens, entity.offset, `\`\`\`${language}\n`, false);
      add(closes, end, '\n```', true);
      verbatim.push([entity.offset, end]);
    } else if (entity.type === 'link' && 'url' in entity && typeof entity.url === 'string') {
      add(opens, entity.offset, '[', false);
      add(closes, end, `](${entity.url})`, true);
    } else if (entity.type === 'quote') {
      quoteStarts.add(entity.offset);
      for (let at = text.indexOf('\n', entity.offset); at !== -1 && at < end; at = text.indexOf('\n', at + 1)) quoteStarts.add(at + 1);
    }
  }
  let result = '';
  for (let at = 0; at <= text.length; at++) {
    for (const sign of closes.get(at) ?? []) result += sign;
    if (quoteStarts.has(at)) result += '> ';
    for (const sign of opens.get(at) ?? []) result += sign;
    if (at === text.length) break;
    const char = text.charAt(at);
    const inside = verbatim.some(([from, to]) => at >= from && at < to);
    if (!inside && needsEscape(text, at)) result += '\\';
    result += char;
  }
  return result;
}

/** Only `http` and `https` may be followed; anything else is shown as text. */
export function safeUrl(url: string): string | undefined {
  try {
    const parsed = new URL(url);
    return parsed.protocol === 'http:' || parsed.protocol === 'https:' ? parsed.href : undefined;
  } catch {
    return undefined;
  }
}

function needsEscape(text: string, at: number): boolean {
  const two = text.slice(at, at + 2);
  if (PAIRS.some(([sign]) => sign === two)) return true;
  const char = text.charAt(at);
  if (char === '`' || char === '\\') return true;
  if (char === '[') return /^\[[^\]\n]+\]\(/.test(text.slice(at));
  return char === '>' && (at === 0 || text.charAt(at - 1) === '\n') && text.charAt(at + 1) === ' ';
}

/** Collects text and marks, and trims both at the end. */
class Writer {
  text = '';
  entities: Entity[] = [];

  mark(from: number, entity: Record<string, unknown> & { type: string }): void {
    if (this.text.length > from) this.entities.push({ offset: from, length: this.text.length - from, ...entity } as Entity);
  }

  finish(): Marked {
    const lead = this.text.length - this.text.trimStart().length;
    const text = this.text.trim();
    const entities: Entity[] = [];
    // Inner marks were closed, and so written, first; of equal stretches the outer one is to stand first.
    for (const entity of this.entities.reverse()) {
      const from = Math.max(0, entity.offset - lead);
      const to = Math.min(text.length, entity.offset + entity.length - lead);
      if (to > from) entities.push({ ...entity, offset: from, length: to - from });
    }
    entities.sort((a, b) => a.offset - b.offset || b.length - a.length);
    return { text, entities };
  }
}

function parseBlocks(source: string, out: Writer): void {
  const fence = /```([A-Za-z0-9+#-]*)\n([\s\S]*?)\n?```|```([^\n`]+)```/g;
  let at = 0;
  for (const match of source.matchAll(fence)) {
    if (match.index > 0 && source.charAt(match.index - 1) === '\\') continue;
    parseLines(source.slice(at, match.index), out);
    const from = out.text.length;
    out.text += match[2] ?? match[3] ?? '';
    out.mark(from, match[1] ? { type: 'pre', language: match[1] } : { type: 'pre' });
    at = match.index + match[0].length;
  }
  parseLines(source.slice(at), out);
}

function parseLines(source: string, out: Writer): void {
  const lines = source.split('\n');
  let quote: number | undefined;
  let plain: string[] = [];
  const flush = (): void => {
    if (plain.length > 0) parseInline(plain.join('\n'), out);
    plain = [];
  };
  lines.forEach((line, index) => {
    const quoted = /^> /.test(line);
    if (quoted !== (quote !== undefined)) {
      flush();
      if (quote !== undefined) out.mark(quote, { type: 'quote' });
      if (index > 0) out.text += '\n';
      quote = quoted ? out.text.length : undefined;
    }
    plain.push(quoted ? line.slice(2) : line);
  });
  flush();
  if (quote !== undefined) out.mark(quote, { type: 'quote' });
}

function parseInline(source: string, out: Writer): void {
  let at = 0;
  while (at < source.length) {
    const char = source.charAt(at);
    if (char === '\\' && at + 1 < source.length && /[*_+~|`[\]\\>]/.test(source.charAt(at + 1))) {
      // The sign of a pair is escaped as a whole: `\**` gives `**`.
      const pair = PAIRS.find(([sign]) => source.startsWith(sign, at + 1))?.[0] ?? source.charAt(at + 1);
      out.text += pair;
      at += 1 + pair.length;
      continue;
    }
    const used = char === '`' ? code(source, at, out) : char === '[' ? link(source, at, out) : pair(source, at, out);
    if (used > 0) {
      at += used;
      continue;
    }
    out.text += char;
    at += 1;
  }
}

function code(source: string, at: number, out: Writer): number {
  const end = source.indexOf('`', at + 1);
  if (end <= at + 1 || source.slice(at, end).includes('\n')) return 0;
  const from = out.text.length;
  out.text += source.slice(at + 1, end);
  out.mark(from, { type: 'code' });
  return end + 1 - at;
}

function link(source: string, at: number, out: Writer): number {
  const match = /^\[([^\]\n]+)\]\((https?:\/\/[^\s)]+)\)/.exec(source.slice(at));
  const url = match?.[2];
  if (!match || !url || safeUrl(url) === undefined) return 0;
  const from = out.text.length;
  parseInline(match[1] ?? '', out);
  out.mark(from, { type: 'link', url });
  return match[0].length;
}

function pair(source: string, at: number, out: Writer): number {
  const found = PAIRS.find(([sign]) => source.startsWith(sign, at));
  if (!found) return 0;
  const [sign, type]: readonly [string, PairType] = found;
  const end = closing(source, sign, at + 2);
  const inner = end === -1 ? '' : source.slice(at + 2, end);
  if (inner.trim() === '' || /^\s|\s$/.test(inner)) return 0;
  const from = out.text.length;
  parseInline(inner, out);
  out.mark(from, { type });
  return end + 2 - at;
}

/** Where the closing sign stands, past escaped ones and code. */
function closing(source: string, sign: string, from: number): number {
  for (let at = from; at < source.length; at++) {
    if (source.charAt(at) === '\\') at += 1;
    else if (source.charAt(at) === '`') {
      const end = source.indexOf('`', at + 1);
      if (end !== -1) at = end;
    } else if (source.startsWith(sign, at) && at > from) return at;
  }
  return -1;
}
