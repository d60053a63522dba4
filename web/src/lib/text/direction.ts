export type Direction = 'rtl' | 'ltr';

// Hebrew, Arabic, Syriac, Thaana, N'Ko and the presentation forms; digits are not strong and do not count.
const RTL = /[\u0590-\u05ff\u0600-\u065f\u066e-\u06ef\u06fa-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/u;
const RTL_ALL = new RegExp(RTL.source, 'gu');
const LETTER = /\p{L}/u;
const LETTERS = /\p{L}/gu;

/** What stands in a text without belonging to its language: links, addresses, handles, code. */
const ISOLATED = /`[^`\n]*`|https?:\/\/\S+|[\w.+-]+@[\w-]+\.[\w.]+|[@#/][A-Za-z0-9_]+/g;

/**
 * The direction of one paragraph by its own content.
 *
 * The first strong letter alone (as `dir=auto` reads it) is misled by a handle, a link or one English word at the
 * beginning of a Persian sentence. So: what is isolated does not count; a paragraph that begins right-to-left is; one that
 * begins left-to-right is right-to-left all the same when at least as many of its letters are. Without letters the
 * `fallback` (the chat's direction) holds.
 */
export function paragraphDirection(text: string, fallback: Direction): Direction {
  const own = text.replace(ISOLATED, ' ');
  const first = LETTER.exec(own)?.[0];
  if (first === undefined) return directionOfIsolated(text, fallback);
  if (RTL.test(first)) return 'rtl';
  const rtl = own.match(RTL_ALL)?.length ?? 0;
  if (rtl === 0) return 'ltr';
  const all = own.match(LETTERS)?.length ?? 0;
  return rtl * 2 >= all ? 'rtl' : 'ltr';
}

/** The direction of a text of several paragraphs: that of the first one that has letters. */
export function textDirection(text: string, fallback: Direction): Direction {
  for (const line of text.split('\n')) {
    if (LETTER.test(line)) return paragraphDirection(line, fallback);
  }
  return fallback;
}

/** Puts a name or handle between FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE, for texts without markup (titles, labels). */
export function isolate(text: string): string {
  return `\u2068${text}\u2069`;
}

function directionOfIsolated(text: string, fallback: Direction): Direction {
  // A paragraph that is nothing but a link or code reads left to right; one of emoji or digits follows the chat.
  return /^\s*(`|https?:)/.test(text) ? 'ltr' : fallback;
}
