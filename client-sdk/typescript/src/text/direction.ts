import { recognise } from "./recognise.js";

export type Direction = "rtl" | "ltr";

// Hebrew, Arabic, Syriac, Thaana, N'Ko and the presentation forms; digits are not strong and do not count.
const RTL = /[\u0590-\u05ff\u0600-\u065f\u066e-\u06ef\u06fa-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/u;
const RTL_ALL = new RegExp(RTL.source, "gu");
const LETTER = /\p{L}/u;
const LETTERS = /\p{L}/gu;
const DIGIT = /\p{Nd}/u;

/** What else stands in a text without belonging to its language: code and commands. */
const FOREIGN = /`[^`\n]*`|[#/][A-Za-z_][A-Za-z0-9_]*/g;

/**
 * The direction of one paragraph by its own content, so that all readers see the same.
 *
 * The first strong letter alone (as `dir=auto` reads it) is misled by a handle, a link or one English word at the
 * beginning of a Persian sentence. So: what is set apart (addresses, handles, code) does not count; a paragraph that begins
 * right-to-left is; one that begins left-to-right is right-to-left all the same when at least as many of its letters are.
 * Without letters: digits, such as a phone number or a sum, read left to right everywhere; a lone address does; the rest
 * (emoji, a handle) follows the `fallback`, the chat's direction.
 */
export function paragraphDirection(text: string, fallback: Direction): Direction {
  let own = "";
  let at = 0;
  let address = false;
  for (const found of recognise(text)) {
    address ||= found.kind === "link" || found.kind === "mail";
    if (found.kind === "number" || found.kind === "phone") continue;
    own += `${text.slice(at, found.from)} `;
    at = found.to;
  }
  own = (own + text.slice(at)).replace(FOREIGN, " ");
  const first = LETTER.exec(own)?.[0];
  if (first === undefined) return address || DIGIT.test(own) || /^\s*`/.test(text) ? "ltr" : fallback;
  if (RTL.test(first)) return "rtl";
  const rtl = own.match(RTL_ALL)?.length ?? 0;
  if (rtl === 0) return "ltr";
  const all = own.match(LETTERS)?.length ?? 0;
  return rtl * 2 >= all ? "rtl" : "ltr";
}

/** The direction of a text of several paragraphs: that of the first one that has letters, else of the first with digits. */
export function textDirection(text: string, fallback: Direction): Direction {
  const lines = text.split("\n");
  const line = lines.find((each) => LETTER.test(each)) ?? lines.find((each) => DIGIT.test(each));
  return line === undefined ? fallback : paragraphDirection(line, fallback);
}

/**
 * Puts a name or handle between FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE, for texts without markup (titles, labels).
 * Signs of direction in the name itself would break out of it.
 */
export function isolate(text: string): string {
  return `\u2068${text.replace(/[\u202a-\u202e\u2066-\u2069]/g, "")}\u2069`;
}
