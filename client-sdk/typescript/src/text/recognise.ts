// What people type that means something by itself: addresses, mail, handles, numbers. One place finds it, so that what is
// drawn as a link, what no mark may cut and what is set apart from the direction around it are always the same.
//
// No lookbehind: Safari has it from 16.4 on only, and one such expression keeps the whole app from starting.

import { toLatinDigits } from "./digits.js";

export interface Found {
  kind: "link" | "mail" | "phone" | "handle" | "number";
  from: number;
  to: number;
  /** Where it leads; none for a handle or a number. */
  url?: string;
}

const SPACE = '\\s<>«»"“”،؛؟\\u2066-\\u2069\\u202a-\\u202e';
/** Endings that are domains more often than files: `main.rs`, `run.sh` and `README.md` are no addresses. */
const DOMAINS = "com|org|net|edu|gov|ir|info|dev|app|io|co|me|uk|de|fr|tr|ae|iq|af|tv|ai";
const LABEL = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?";
const DIGIT = "[0-9\\u06f0-\\u06f9\\u0660-\\u0669]";
const PATTERN = new RegExp(
  [
    `(?<link>https?:\\/\\/[^${SPACE}]+)`,
    `(?<mail>[a-z0-9][a-z0-9._%+-]*@(?:${LABEL}\\.)+[a-z]{2,24}(?![a-z0-9_-]))`,
    `(?<bare>www\\.(?:${LABEL}\\.)+[a-z]{2,24}(?![a-z0-9_@-])(?:[:/?#][^${SPACE}]*)?|(?:${LABEL}\\.)+(?:${DOMAINS})(?![a-z0-9_@-]|\\.[a-z0-9])(?:[:/?#][^${SPACE}]*)?)`,
    `(?<handle>@[a-z][a-z0-9_]{2,31}(?![a-z0-9_]))`,
    `(?<number>[+(]?${DIGIT}(?:[ \\-()+./:=×÷*,٫٬–\\u200e]*${DIGIT})*\\)?)`,
  ].join("|"),
  "giu",
);

/** All of it, in order, without overlaps. */
export function recognise(text: string): Found[] {
  const found: Found[] = [];
  PATTERN.lastIndex = 0;
  for (let match = PATTERN.exec(text); match; match = PATTERN.exec(text)) {
    const { link, mail, bare, handle } = match.groups ?? {};
    const from = match.index;
    const before = text.charAt(from - 1);
    // What goes on a word, a path or an address is a part of that. A Persian letter may stand directly before an address.
    const inside = /[A-Za-z0-9_]/.test(before) || (link === undefined && /[/@.\\-]/.test(before));
    if (inside) {
      PATTERN.lastIndex = from + (/^[A-Za-z0-9_]+/.exec(match[0])?.[0].length ?? 1);
      continue;
    }
    const word = link !== undefined || bare !== undefined ? withoutSentence(match[0]) : match[0];
    const to = from + word.length;
    PATTERN.lastIndex = Math.max(to, from + 1);
    if (link !== undefined) add(found, "link", from, to, word);
    else if (bare !== undefined) add(found, "link", from, to, `https://${word}`);
    else if (mail !== undefined) found.push({ kind: "mail", from, to, url: `mailto:${mail}` });
    else if (handle !== undefined) found.push({ kind: "handle", from, to });
    else number(found, text, from, word);
  }
  return found;
}

function add(found: Found[], kind: Found["kind"], from: number, to: number, address: string): void {
  const url = safeUrl(address);
  if (url !== undefined) found.push({ kind, from, to, url });
}

/** Only `http` and `https` may be followed; anything else is shown as text. */
export function safeUrl(url: string): string | undefined {
  try {
    const parsed = new URL(url);
    return (parsed.protocol === "http:" || parsed.protocol === "https:") && parsed.hostname !== "" ? parsed.href : undefined;
  } catch {
    return undefined;
  }
}

/** Punctuation after an address belongs to the sentence; so does a bracket that was not opened in the address. */
function withoutSentence(address: string): string {
  let end = address.length;
  const count = (sign: string): number => address.slice(0, end).split(sign).length - 1;
  for (;;) {
    const last = address.charAt(end - 1);
    const opener = { ")": "(", "]": "[", "}": "{" }[last];
    if (opener !== undefined ? count(last) > count(opener) : /[.,;:!?'’…]/.test(last)) end -= 1;
    else return address.slice(0, end);
  }
}

/** Digits in several groups, or with a sign of arithmetic: a phone, a card, a sum, a date. Single numbers go with the text. */
function number(found: Found[], text: string, from: number, word: string): void {
  // A bracket belongs to the number when both are there.
  if (word.startsWith("(") && !word.includes(")")) {
    from += 1;
    word = word.slice(1);
  }
  if (word.endsWith(")") && !word.includes("(")) word = word.slice(0, -1);
  const to = from + word.length;
  if (/[A-Za-z_]/.test(text.charAt(to))) return;
  const digits = toLatinDigits(word).replace(/[^0-9]/g, "");
  const groups = word.split(new RegExp(`(?!${DIGIT}).`, "u")).filter((each) => each !== "").length;
  const spoken = word.startsWith("+") || /[=+×÷*]/.test(word);
  if (!spoken && (groups < 2 || (digits.length < 7 && /[ –]/.test(word)))) {
    if (!/^0\d{9,10}$/.test(toLatinDigits(word))) return;
  }
  const phone = /^[+0(]/.test(toLatinDigits(word)) && /^\+?[\d ()\-.]+$/.test(toLatinDigits(word)) && digits.length >= 8 && digits.length <= 15;
  // A decimal fraction, and a date, begin with a digit and have points or strokes.
  if (phone && !/[./:]/.test(word)) found.push({ kind: "phone", from, to, url: `tel:${word.startsWith("+") ? "+" : ""}${digits}` });
  else found.push({ kind: "number", from, to });
}
