import type { Entity } from "../protocol.js";
import { paragraphDirection, type Direction } from "./direction.js";
import { recognise, safeUrl, type Found } from "./recognise.js";

/** A stretch of text whose marks are the same throughout. */
export interface Run {
  text: string;
  /** `bold`, `italic`, `underline`, `strike`, `spoiler`, `code`. */
  marks: readonly string[];
  /** A checked http(s) address. */
  url?: string;
  /** Of whom it speaks. */
  userId?: number;
  /** `@handle` as typed in the text, without the sign. */
  handle?: string;
  /** Read from left to right wherever it stands: a phone number, a sum, a date. */
  ltr?: true;
  /** The words name another place than the one where the link leads. */
  misleads?: true;
}

export interface Line {
  dir: Direction;
  runs: Run[];
}

/** A message is a list of blocks, each a list of lines with a direction of their own. */
export type Block =
  | { kind: "text" | "quote"; lines: Line[] }
  | { kind: "pre"; text: string; language: string };

const INLINE = new Set(["bold", "italic", "underline", "strike", "spoiler", "code"]);

/**
 * Cuts a message into what is to be drawn. Never HTML: the result holds plain strings, and components put them into text
 * nodes. Marks of an unknown type are passed over, so that their text is shown without them.
 */
export function toBlocks(text: string, entities: readonly Entity[], fallback: Direction): Block[] {
  const sound = entities.filter((e) => e.offset >= 0 && e.length > 0 && e.offset + e.length <= text.length);
  const blocks: Block[] = [];
  let at = 0;
  const large = sound.filter((e) => e.type === "pre" || e.type === "quote").sort((a, b) => a.offset - b.offset);
  const plain = (to: number): void => {
    // The line breaks that set a block apart from its neighbours are the block's own.
    const from = at > 0 && text.charAt(at) === "\n" ? at + 1 : at;
    const end = to < text.length && text.charAt(to - 1) === "\n" ? to - 1 : to;
    if (end > from) blocks.push({ kind: "text", lines: toLines(text, from, end, sound, fallback) });
  };
  for (const entity of large) {
    if (entity.offset < at) continue;
    plain(entity.offset);
    const end = entity.offset + entity.length;
    if (entity.type === "pre") {
      const language = "language" in entity && typeof entity.language === "string" ? entity.language : "";
      blocks.push({ kind: "pre", text: text.slice(entity.offset, end), language });
    } else {
      blocks.push({ kind: "quote", lines: toLines(text, entity.offset, end, sound, fallback) });
    }
    at = end;
  }
  plain(text.length);
  return blocks;
}

/** One line for lists and quotes: blocks and lines flattened, spoilers covered. */
export function toPreview(text: string, entities: readonly Entity[]): string {
  let shown = text;
  for (const entity of entities) {
    if (entity.type !== "spoiler") continue;
    shown = shown.slice(0, entity.offset) + "░".repeat(entity.length) + shown.slice(entity.offset + entity.length);
  }
  return shown.replace(/\s+/g, " ").trim().slice(0, 200);
}

/** Whether a text is nothing but one to three emoji, which are drawn large. */
export function isJumbo(text: string): boolean {
  if (text.length > 40) return false;
  return /^(?:(?:\p{Regional_Indicator}{2}|[0-9#*]\ufe0f?\u20e3|\p{Emoji_Presentation}|\p{Emoji}\ufe0f)(?:\p{Emoji_Modifier}|\ufe0f|\u200d(?:\p{Emoji_Presentation}|\p{Emoji}\ufe0f?))*\s*){1,3}$/u.test(
    text,
  );
}

function toLines(text: string, from: number, to: number, entities: readonly Entity[], fallback: Direction): Line[] {
  const lines: Line[] = [];
  let at = from;
  while (at <= to) {
    const found = text.indexOf("\n", at);
    const end = found === -1 || found > to ? to : found;
    lines.push({ dir: paragraphDirection(text.slice(at, end), fallback), runs: toRuns(text, at, end, entities) });
    at = end + 1;
  }
  return lines;
}

function toRuns(text: string, from: number, to: number, entities: readonly Entity[]): Run[] {
  const here = entities.filter((e) => e.offset < to && e.offset + e.length > from && e.type !== "pre" && e.type !== "quote");
  const cuts = new Set([from, to]);
  for (const entity of here) {
    cuts.add(Math.max(from, entity.offset));
    cuts.add(Math.min(to, entity.offset + entity.length));
  }
  const recognised = findAuto(text, from, to, here);
  const auto = [...recognised, ...foreignWords(text, from, to, here, recognised)];
  for (const found of auto) {
    cuts.add(found.from);
    cuts.add(found.to);
  }
  const places = [...cuts].sort((a, b) => a - b);
  const runs: Run[] = [];
  for (let i = 0; i + 1 < places.length; i++) {
    const start = places[i] as number;
    const end = places[i + 1] as number;
    const run: Run = { text: text.slice(start, end), marks: [] };
    const marks = new Set<string>();
    for (const entity of here) {
      if (entity.offset > start || entity.offset + entity.length < end) continue;
      if (INLINE.has(entity.type)) marks.add(entity.type);
      else if (entity.type === "link" && "url" in entity && typeof entity.url === "string") {
        const url = safeUrl(entity.url);
        if (url !== undefined) run.url = url;
        if (url !== undefined && misleads(text.slice(entity.offset, entity.offset + entity.length), url)) run.misleads = true;
      } else if (entity.type === "mention" && "user_id" in entity && typeof entity.user_id === "number") run.userId = entity.user_id;
    }
    const found = auto.find((a) => a.from <= start && a.to >= end);
    if (found?.url !== undefined) run.url = found.url;
    if (found?.kind === "handle") run.handle = text.slice(found.from + 1, found.to);
    if (found?.kind === "number" || found?.kind === "phone" || found?.kind === "word") run.ltr = true;
    run.marks = [...marks];
    runs.push(run);
  }
  return runs;
}

/** What was simply typed and means something by itself, outside of code and links. */
function findAuto(text: string, from: number, to: number, entities: readonly Entity[]): Found[] {
  const taken = entities.filter(({ type }) => type === "code" || type === "link" || type === "mention");
  return recognise(text.slice(from, to))
    .map((found) => ({ ...found, from: found.from + from, to: found.to + from }))
    .filter((found) => !taken.some(({ offset, length }) => offset < found.to && offset + length > found.from));
}

/** Signs that belong to a word of Latin letters where they touch it: C++, C#, __init__.py, $HOME, -v. */
const WITH_SIGNS = /[A-Za-z0-9+#_*$%&=~^/\\@.'-]+/g;
const SIGN_AT_AN_END = /^[+#_*$%&=~^/\\.-]|[+#_*$%&=~^/\\]$/;

/** Words with signs at their ends: between letters of the other direction the signs would change sides. */
function foreignWords(
  text: string,
  from: number,
  to: number,
  entities: readonly Entity[],
  recognised: readonly Found[],
): { kind: "word"; from: number; to: number; url?: undefined }[] {
  const apart = entities.filter(({ type }) => type === "code" || type === "link" || type === "mention");
  const taken = [...apart, ...recognised.map((each) => ({ offset: each.from, length: each.to - each.from }))];
  const words: { kind: "word"; from: number; to: number }[] = [];
  for (const match of text.slice(from, to).matchAll(WITH_SIGNS)) {
    // A full stop, a hyphen or a quotation mark at the end belongs to the sentence.
    const word = match[0].replace(/[.'-]{1,3}$/, "");
    const [start, end] = [from + match.index, from + match.index + word.length];
    if (!/[A-Za-z]/.test(word) || !SIGN_AT_AN_END.test(word)) continue;
    if (taken.some(({ offset, length }) => offset < end && offset + length > start)) continue;
    words.push({ kind: "word", from: start, to: end });
  }
  return words;
}

/** Whether words that look like an address name another host than the one where the link leads. */
function misleads(words: string, url: string): boolean {
  const host = (address: string): string => new URL(address).hostname.replace(/^www\./, "");
  return recognise(words).some(({ kind, url: named }) => kind === "link" && named !== undefined && host(named) !== host(url));
}
