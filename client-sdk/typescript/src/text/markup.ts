import type { Entity } from "../protocol.js";
import { recognise, safeUrl } from "./recognise.js";

export { safeUrl };

/** Marks that are typed alike on both sides of a stretch. */
const PAIRS = { "**": "bold", __: "italic", "++": "underline", "~~": "strike", "||": "spoiler" } as const;
type Sign = keyof typeof PAIRS;
const SIGNS = Object.keys(PAIRS) as Sign[];

/** A text as it is sent: plain, with the marks beside it. Offsets count UTF-16 code units. */
export interface Marked {
  text: string;
  entities: Entity[];
}

/**
 * Reads Markdown-like typing: `**bold**`, `__italic__`, `++underline++`, `~~strike~~`, `||spoiler||`, `` `code` `` (also
 * between several backticks), ```` ```language ⏎ pre``` ````, `[text](https://…)` and `> quote` at the beginning of a line.
 *
 * What was typed survives, letter by letter, unless it is such a mark:
 * - Addresses, mail, handles and numbers are found first, and no mark begins or ends in them.
 * - A mark opens only after a space, punctuation or the beginning, and closes only before one: never inside a word.
 * - A backslash stays, unless it stands before what would be a mark and takes that meaning away; then backslashes before it
 *   count in pairs, as everywhere.
 * - Code keeps every blank.
 */
export function parseMarkup(source: string): Marked {
  const out = new Writer();
  parseBlocks(new Reader(source), out);
  return out.finish();
}

const WORD = /[\p{L}\p{N}\p{M}_\u200c\u200d]/u;
/** Signs that hold words together when they stand between them. */
const JOINS = /[./\\@#=&%$~|+*:'’-]/;
const FENCE = /```([A-Za-z0-9+#-]*)\n([\s\S]*?)\n?```|```([^\n`]+)```/y;

/** The typed text, and what stands at a place of it. */
class Reader {
  /** Place to the end of what is recognised there. */
  readonly #fixed = new Map<number, number>();

  constructor(readonly source: string) {
    for (const { from, to } of recognise(source)) {
      // The closing sign of a mark may follow an address directly.
      let end = to;
      while (end - 2 >= from && this.sign(end - 2)) end -= 2;
      for (let at = from; at < end; at++) this.#fixed.set(at, end);
    }
  }

  at(index: number): string {
    return this.source.charAt(index);
  }

  sign(at: number): Sign | undefined {
    const two = this.source.slice(at, at + 2);
    return two in PAIRS ? (two as Sign) : undefined;
  }

  /** Where the address, handle or number ends in the middle of which this place is. */
  fixed(at: number): number | undefined {
    return this.#fixed.get(at);
  }

  /** Whether a pair's sign may open here: `free` says that a mark ends or begins directly before. */
  opens(at: number, from: number, free: boolean): boolean {
    const next = this.at(at + 2);
    if (next === "" || /\s/.test(next) || this.fixed(at) !== undefined) return false;
    if (free || at === from) return true;
    // Backslashes before it are not text: they are counted elsewhere.
    let before = at;
    while (this.at(before - 1) === "\\") before -= 1;
    if (before !== at) return before === from || !this.#wordEnds(before);
    return !this.#wordEnds(at);
  }

  /** Whether a pair's sign may close here. */
  closes(at: number): boolean {
    if (/\s|\\/.test(this.at(at - 1)) || this.fixed(at) !== undefined) return false;
    const next = this.at(at + 2);
    if (next === "" || this.sign(at + 2)) return true;
    if (WORD.test(this.#whole(at + 2))) return false;
    return !(JOINS.test(next) && WORD.test(this.#whole(at + 3)));
  }

  /** Where the closing sign stands, past what is escaped, code and addresses. */
  closing(sign: Sign, from: number, to: number): number {
    for (let at = from; at < to; at++) {
      const fixed = this.fixed(at);
      if (fixed !== undefined) at = Math.min(fixed, to) - 1;
      else if (this.at(at) === "\\") {
        let run = 1;
        while (this.at(at + run) === "\\") run += 1;
        at += run - 1;
        if (run % 2 === 1) at += 2;
        if (run % 2 === 1) at -= this.sign(at - 1) ? 0 : 1;
      } else if (this.at(at) === "`") at = (this.code(at, to)?.end ?? at + 1) - 1;
      else if (at > from && this.source.startsWith(sign, at)) {
        // Of a longer run the last two close.
        let last = at;
        while (last + 2 < to && this.at(last + 2) === sign.charAt(0)) last += 1;
        if (last + 2 <= to && this.closes(last)) return last;
        at = last + 1;
      }
    }
    return -1;
  }

  /** Code between equally many backticks. */
  code(at: number, to: number): { from: number; to: number; end: number } | undefined {
    let run = 1;
    while (this.at(at + run) === "`") run += 1;
    const begin = at + run;
    for (let place = begin; place < to && this.at(place) !== "\n"; place++) {
      if (this.at(place) !== "`") continue;
      let close = 1;
      while (this.at(place + close) === "`") close += 1;
      if (close === run && place > begin && place + close <= to) return { from: begin, to: place, end: place + close };
      place += close - 1;
    }
    return undefined;
  }

  /** `[words](https://…)`, with balanced brackets in both. */
  link(at: number, to: number): { from: number; to: number; url: string; end: number } | undefined {
    const words = this.#balanced(at, to, "[", "]");
    if (words === undefined || words === at + 1 || this.at(words + 1) !== "(") return undefined;
    const end = this.#balanced(words + 1, to, "(", ")");
    const url = end === undefined ? "" : this.source.slice(words + 2, end);
    if (end === undefined || !/^https?:\/\/\S+$/i.test(url) || safeUrl(url) === undefined) return undefined;
    return { from: at + 1, to: words, url, end: end + 1 };
  }

  /** Code of several lines, which `parseBlocks` sets apart. */
  fence(at: number): RegExpExecArray | null {
    FENCE.lastIndex = at;
    return FENCE.exec(this.source);
  }

  #balanced(at: number, to: number, open: string, close: string): number | undefined {
    let depth = 0;
    for (let place = at; place < to && this.at(place) !== "\n"; place++) {
      if (this.at(place) === "\\" && open === "[") place += 1;
      else if (this.at(place) === open) depth += 1;
      else if (this.at(place) === close && --depth === 0) return place;
    }
    return undefined;
  }

  /** Whether what stands before this place is the end of a word, or holds one together with what comes. */
  #wordEnds(at: number): boolean {
    const before = this.#wholeBefore(at);
    if (WORD.test(before)) return true;
    if (!JOINS.test(before)) return false;
    // `:` before a mark ends a phrase, as in «note:**this**».
    return before !== ":" && WORD.test(this.#wholeBefore(at - 1));
  }

  /** The character here, whole: letters may take two units. */
  #whole(at: number): string {
    const code = this.source.codePointAt(at);
    return code === undefined ? "" : String.fromCodePoint(code);
  }

  #wholeBefore(at: number): string {
    const pair = /[\ud800-\udbff][\udc00-\udfff]$/.exec(this.source.slice(Math.max(0, at - 2), at));
    return pair ? pair[0] : this.source.charAt(at - 1);
  }
}

/** Collects text and marks, and trims both at the end. */
class Writer {
  text = "";
  entities: Entity[] = [];
  /** Where a mark was opened or closed last: another one may stand directly beside it. */
  edge = -1;

  mark(from: number, entity: Record<string, unknown> & { type: string }): void {
    if (this.text.length > from) this.entities.push({ offset: from, length: this.text.length - from, ...entity } as Entity);
  }

  finish(): Marked {
    // Code keeps its blanks, also at the beginning and the end.
    const code = this.entities.filter(({ type }) => type === "code" || type === "pre");
    const firstCode = Math.min(...code.map(({ offset }) => offset), Infinity);
    const lastCode = Math.max(...code.map(({ offset, length }) => offset + length), 0);
    const lead = Math.min(this.text.length - this.text.trimStart().length, firstCode);
    const end = Math.max(this.text.trimEnd().length, lastCode, lead);
    const text = this.text.slice(lead, end);
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

function parseBlocks(reader: Reader, out: Writer): void {
  const { source } = reader;
  let at = 0;
  for (let place = source.indexOf("```"); place !== -1; place = source.indexOf("```", place)) {
    const match = reader.fence(place);
    if (!match || backslashes(source, place) % 2 === 1) {
      while (source.charAt(place) === "`") place += 1;
      continue;
    }
    parseLines(reader, at, place, out);
    const from = out.text.length;
    out.text += match[2] ?? match[3] ?? "";
    out.mark(from, match[1] ? { type: "pre", language: match[1] } : { type: "pre" });
    at = place = place + match[0].length;
  }
  parseLines(reader, at, source.length, out);
}

function parseLines(reader: Reader, from: number, to: number, out: Writer): void {
  const { source } = reader;
  let at = from;
  while (at < to) {
    // A quote is the lines that begin with its sign, one after the other; what is plain is read over its lines at once.
    const quoted = isQuote(source, at);
    if (!quoted) {
      let end = at;
      do end = lineEnd(source, end, to);
      while (end < to && !isQuote(source, end));
      const breaks = end < to && end > at && source.charAt(end - 1) === "\n";
      parseInline(reader, at, breaks ? end - 1 : end, out, []);
      if (breaks) out.text += "\n";
      at = end;
      continue;
    }
    const begin = out.text.length;
    let broken = false;
    while (at < to && isQuote(source, at)) {
      const end = lineEnd(source, at, to);
      broken = source.charAt(end - 1) === "\n";
      if (out.text.length > begin) out.text += "\n";
      parseInline(reader, at + 2, broken ? end - 1 : end, out, []);
      at = end;
    }
    out.mark(begin, { type: "quote" });
    if (broken) out.text += "\n";
  }
}

const lineEnd = (source: string, at: number, to: number): number => {
  const end = source.indexOf("\n", at);
  return end === -1 || end >= to ? to : end + 1;
};
const isQuote = (source: string, at: number): boolean => source.startsWith("> ", at) && (at === 0 || source.charAt(at - 1) === "\n");

/** How many backslashes stand directly before a place. */
function backslashes(source: string, at: number): number {
  let count = 0;
  while (source.charAt(at - 1 - count) === "\\") count += 1;
  return count;
}

function parseInline(reader: Reader, from: number, to: number, out: Writer, within: readonly Sign[]): void {
  let at = from;
  while (at < to) {
    const fixed = reader.fixed(at);
    if (fixed !== undefined) {
      out.text += reader.source.slice(at, Math.min(fixed, to));
      at = Math.min(fixed, to);
      continue;
    }
    if (reader.at(at) === "\\") {
      let run = 1;
      while (at + run < to && reader.at(at + run) === "\\") run += 1;
      const hindered = at + run < to ? means(reader, at + run, from, to, within) : 0;
      out.text += "\\".repeat(hindered > 0 ? Math.floor(run / 2) : run);
      at += run;
      if (hindered > 0 && run % 2 === 1) {
        out.text += reader.source.slice(at, at + hindered);
        at += hindered;
        continue;
      }
      if (at >= to) return;
      if (hindered === 0) {
        // It is no mark with the backslash away, so it is none with it.
        const length = reader.sign(at) ? 2 : 1;
        const next = reader.fixed(at) === undefined ? Math.min(at + length, to) : at;
        out.text += reader.source.slice(at, next);
        at = next;
        continue;
      }
    }
    const used = take(reader, at, from, to, out, within);
    if (used > 0) {
      at += used;
      out.edge = out.text.length;
      continue;
    }
    // A run of one sign is read as a whole: its second half is no sign of its own.
    const sign = reader.sign(at);
    let length = 1;
    if (sign) while (at + length < to && reader.at(at + length) === sign.charAt(0) && !reader.closes(at + length)) length += 1;
    out.text += reader.source.slice(at, at + length);
    at += length;
  }
}

/** How much of a mark's sign stands here, which a backslash before it takes its meaning away; 0 if nothing does. */
function means(reader: Reader, at: number, from: number, to: number, within: readonly Sign[]): number {
  const char = reader.at(at);
  if (char === "`") {
    const fence = reader.fence(at);
    if (fence) return 3;
    return reader.code(at, to) ? (/^`+/.exec(reader.source.slice(at))?.[0].length ?? 1) : 0;
  }
  if (char === "[") return reader.link(at, to) ? 1 : 0;
  if (char === ">") return reader.at(at + 1) === " " && isLineStart(reader.source, at) ? 1 : 0;
  const sign = reader.sign(at);
  if (!sign) return 0;
  if (within.includes(sign)) return 2;
  return reader.opens(at, from, false) && reader.closing(sign, at + 2, to) !== -1 ? 2 : 0;
}

/** Whether only backslashes stand between the beginning of the line and this place. */
const isLineStart = (source: string, at: number): boolean => {
  const before = at - backslashes(source, at);
  return before === 0 || source.charAt(before - 1) === "\n";
};

/** Reads the mark that begins here, and says how long it was typed. */
function take(reader: Reader, at: number, from: number, to: number, out: Writer, within: readonly Sign[]): number {
  const begin = out.text.length;
  if (reader.at(at) === "`") {
    const code = reader.code(at, to);
    if (!code) return 0;
    out.text += reader.source.slice(code.from, code.to);
    out.mark(begin, { type: "code" });
    return code.end - at;
  }
  if (reader.at(at) === "[") {
    const link = reader.link(at, to);
    if (!link) return 0;
    parseInline(reader, link.from, link.to, out, within);
    out.mark(begin, { type: "link", url: link.url });
    return link.end - at;
  }
  const sign = reader.sign(at);
  if (!sign || !reader.opens(at, from, out.edge === begin)) return 0;
  const end = reader.closing(sign, at + 2, to);
  if (end === -1 || reader.source.slice(at + 2, end).trim() === "") return 0;
  out.edge = begin;
  parseInline(reader, at + 2, end, out, [...within, sign]);
  out.mark(begin, { type: PAIRS[sign] });
  return end + 2 - at;
}

/**
 * Writes a marked text as it would be typed, for editing. A mark that cannot be typed (in the middle of a word, from another
 * program) is left out; the text itself always comes back.
 */
export function toMarkup({ text, entities }: Marked): string {
  const tried = [entities, entities.filter(({ type }) => type === "pre" || type === "code" || type === "link"), []];
  for (const marks of tried) {
    const plain = typed(text, marks);
    if (parseMarkup(plain).text === text) return plain;
  }
  return text;
}

function typed(text: string, entities: readonly Entity[]): string {
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
    const inner = text.slice(entity.offset, end);
    const pair = Object.entries(PAIRS).find(([, type]) => type === entity.type)?.[0];
    if (pair) {
      add(opens, entity.offset, pair, false);
      add(closes, end, pair, true);
    } else if (entity.type === "code") {
      const longest = Math.max(0, ...[...inner.matchAll(/`+/g)].map(([run]) => run.length));
      // Three begin code of several lines.
      const ticks = "`".repeat(longest === 0 ? 1 : longest === 1 ? 2 : longest + 2);
      add(opens, entity.offset, ticks, false);
      add(closes, end, ticks, true);
      verbatim.push([entity.offset, end]);
    } else if (entity.type === "pre") {
      const language = "language" in entity && typeof entity.language === "string" ? entity.language : "";
      add(opens, entity.offset, `\`\`\`${language}\n`, false);
      add(closes, end, "\n```", true);
      verbatim.push([entity.offset, end]);
    } else if (entity.type === "link" && "url" in entity && typeof entity.url === "string") {
      add(opens, entity.offset, "[", false);
      add(closes, end, `](${entity.url})`, true);
    } else if (entity.type === "quote") {
      quoteStarts.add(entity.offset);
      for (let at = text.indexOf("\n", entity.offset); at !== -1 && at < end; at = text.indexOf("\n", at + 1)) quoteStarts.add(at + 1);
    }
  }
  // From the end: whether a sign must be escaped depends on what comes after it, which is as it will be then.
  let result = "";
  const lengths: number[] = [];
  const marks = entities.filter(({ type }) => type !== "quote");
  for (let at = text.length; at >= 0; at--) {
    if (at < text.length) {
      const around = marks.filter(({ offset, length }) => offset <= at && at < offset + length);
      const inside = verbatim.some(([from, to]) => at >= from && at < to);
      const rest = text.charAt(at) + result;
      const before = text.slice(0, at);
      const end = Math.min(...around.map(({ offset, length }) => before.length + rest.length - (lengths[offset + length] ?? 0)), before.length + rest.length);
      const begins = around.some(({ offset }) => offset === at);
      const signs = SIGNS.filter((sign) => around.some(({ type }) => type === PAIRS[sign]));
      if (!inside && escapes(before, rest, end, begins ? at : 0, signs)) result = `\\${rest}`;
      else result = rest;
    }
    result = [...(closes.get(at) ?? []), ...(quoteStarts.has(at) ? ["> "] : []), ...(opens.get(at) ?? [])].join("") + result;
    lengths[at] = result.length;
  }
  return result;
}

/** Whether what stands here would be read as a mark, or takes a meaning away, if it were typed as it is. */
function escapes(before: string, rest: string, to: number, from: number, within: readonly Sign[]): boolean {
  const char = rest.charAt(0);
  if (!/[\\`[>*_+~|]/.test(char)) return false;
  const reader = new Reader(before + rest);
  const at = before.length;
  if (reader.fixed(at) !== undefined) return false;
  if (char === "\\") return means(reader, at + /^\\+/.exec(rest)![0].length, from, to, within) > 0;
  const sign = reader.sign(at);
  // What reaches into the closing sign is of one run with it, of which the last two close.
  if (sign && at + 2 > to) return false;
  // Of a run of one sign the first two are its mark, or nothing is.
  if (sign && before.endsWith(char) && !within.includes(sign)) return false;
  return means(reader, at, from, to, within) > 0;
}
