// What people type that means something by itself: addresses, mail, handles, numbers. One place finds it, so that what is
// drawn as a link, what no mark may cut and what is set apart from the direction around it are always the same.
//
// It is read once, from left to right, and no sign is looked at more than a few times, whatever somebody puts together: one
// expression for all of it was prettier, and took the square of the length for some texts.

import { toLatinDigits } from "./digits.js";

export interface Found {
  kind: "link" | "mail" | "phone" | "handle" | "number";
  from: number;
  to: number;
  /** Where it leads; none for a handle or a number. */
  url?: string;
}

/** Endings that are domains more often than files: `main.rs`, `run.sh` and `README.md` are no addresses. */
const DOMAINS = new Set("com org net edu gov ir info dev app io co me uk de fr tr ae iq af tv ai".split(" "));
const SPACE = /[\s<>«»"“”،؛؟\u2066-\u2069\u202a-\u202e]/;
const DIGIT = "[0-9\\u06f0-\\u06f9\\u0660-\\u0669]";
const BETWEEN_DIGITS = " -()+./:=×÷*,٫٬–\u200e";

const among = (signs: string): ((sign: string) => boolean) => {
  const set = new Set(signs);
  return (sign) => set.has(sign);
};
const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const isLetter = among(LETTERS);
const isPlain = among(`${LETTERS}0123456789`);
const isWord = among(`${LETTERS}0123456789_`);
const isHost = among(`${LETTERS}0123456789-`);
const isLocal = among(`${LETTERS}0123456789._%+-`);
const isDigit = among("0123456789۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩");
const isBetween = among(BETWEEN_DIGITS);
/** What stands directly after one of these is a part of a path, an address or a file. */
const joins = among("/@.\\-");
const opensPath = among(":/?#");
const isAddress = (sign: string): boolean => !SPACE.test(sign);

/** Texts that are kept at most, and how long they may be. */
const KEPT = 500;
const KEPT_LENGTH = 400;
const kept = new Map<string, readonly Found[]>();

/**
 * All of it, in order, without overlaps. The last short texts are kept: the line in the list, the direction and the runs of
 * one message all ask for the same.
 */
export function recognise(text: string): readonly Found[] {
  if (text.length > KEPT_LENGTH) return new Scan(text).all();
  let found = kept.get(text);
  if (!found) {
    if (kept.size >= KEPT) kept.clear();
    kept.set(text, (found = new Scan(text).all()));
  }
  return found;
}

/** For tests: how many signs were looked at for a text, each time counted. */
export function workOf(text: string): number {
  const scan = new Scan(text);
  scan.all();
  return scan.work;
}

class Scan {
  readonly #text: string;
  readonly #found: Found[] = [];
  /** Up to where the name before an `@` was read last, and where the mail ends that it begins, if it does. */
  #local: { end: number; mail: number | undefined } = { end: 0, mail: undefined };
  work = 0;

  constructor(text: string) {
    this.#text = text;
  }

  all(): Found[] {
    let at = 0;
    while (at < this.#text.length) at = this.#next(at);
    return this.#found;
  }

  #at(index: number): string {
    this.work += 1;
    return this.#text.charAt(index);
  }

  /** Where a run of such signs ends. */
  #run(from: number, belongs: (sign: string) => boolean): number {
    let at = from;
    while (at < this.#text.length && belongs(this.#at(at))) at += 1;
    return at;
  }

  /** Takes what begins here; says where to go on. */
  #next(at: number): number {
    const sign = this.#at(at);
    const word = isWord(sign);
    if (!word && !isDigit(sign) && sign !== "@" && sign !== "+" && sign !== "(") return at + 1;
    const before = at === 0 ? "" : this.#at(at - 1);
    // What goes on a word is a part of that. A Persian letter may stand directly before an address.
    const past = (): number => (word ? this.#run(at, isWord) : isDigit(sign) ? this.#run(at, isDigit) : at + 1);
    if (before !== "" && isWord(before)) return past();
    const link = this.#link(at);
    if (link !== undefined) return link;
    if (before !== "" && joins(before)) return past();
    return (isPlain(sign) ? (this.#mail(at) ?? this.#bare(at)) : undefined) ?? (sign === "@" ? this.#handle(at) : undefined) ?? this.#number(at) ?? past();
  }

  #link(at: number): number | undefined {
    const sign = this.#at(at);
    if (sign !== "h" && sign !== "H") return undefined;
    const scheme = /^https?:\/\//i.exec(this.#text.slice(at, at + 8))?.[0].length;
    if (scheme === undefined) return undefined;
    const end = this.#run(at + scheme, isAddress);
    return end > at + scheme ? this.#address(at, end, "") : undefined;
  }

  /** Somebody's mail. From every place of a name before an `@` it is the same one, or none. */
  #mail(at: number): number | undefined {
    if (at >= this.#local.end) {
      const end = this.#run(at, isLocal);
      this.#local = { end, mail: this.#at(end) === "@" ? this.#host(end + 1, (last, next) => last.length >= 2 && last.length <= 24 && [...last].every(isLetter) && next !== "_") : undefined };
    }
    const to = this.#local.mail;
    if (to === undefined) return undefined;
    this.#found.push({ kind: "mail", from: at, to, url: `mailto:${this.#text.slice(at, to)}` });
    return to;
  }

  /** An address without a scheme: of `www`, or of a domain that is safe to guess. */
  #bare(at: number): number | undefined {
    const www = this.#text.slice(at, at + 4).toLowerCase() === "www.";
    const end =
      (www ? this.#host(at + 4, (last, next) => last.length >= 2 && last.length <= 24 && [...last].every(isLetter) && next !== "_" && next !== "@") : undefined) ??
      this.#host(at, (last, next, after) => DOMAINS.has(last.toLowerCase()) && next !== "_" && next !== "@" && !(next === "." && isPlain(after)));
    if (end === undefined) return undefined;
    return this.#address(at, opensPath(this.#at(end)) ? this.#run(end, isAddress) : end, "https://");
  }

  /** Where a host ends that begins here: labels with points between them, as many as there are before a last one that will do. */
  #host(from: number, last: (label: string, next: string, after: string) => boolean): number | undefined {
    let end: number | undefined;
    for (let at = from, labels = 0; ; labels += 1) {
      const to = this.#run(at, isHost);
      const label = this.#text.slice(at, to);
      const next = this.#at(to);
      if (labels > 0 && last(label, next, this.#at(to + 1))) end = to;
      if (next !== "." || label === "" || label.startsWith("-") || label.endsWith("-")) return end;
      at = to + 1;
    }
  }

  #address(from: number, end: number, scheme: string): number {
    const to = this.#withoutSentence(from, end);
    const url = safeUrl(scheme + this.#text.slice(from, to));
    if (url !== undefined) this.#found.push({ kind: "link", from, to, url });
    return to;
  }

  /** Punctuation after an address belongs to the sentence; so does a bracket that was not opened in the address. */
  #withoutSentence(from: number, to: number): number {
    const counts: Record<string, number> = {};
    for (let at = from; at < to; at++) {
      const sign = this.#at(at);
      counts[sign] = (counts[sign] ?? 0) + 1;
    }
    for (let end = to; ; end -= 1) {
      const last = this.#at(end - 1);
      const opener = { ")": "(", "]": "[", "}": "{" }[last];
      const outside = opener !== undefined ? (counts[last] ?? 0) > (counts[opener] ?? 0) : /[.,;:!?'’…]/.test(last);
      if (!outside) return end;
      counts[last] = (counts[last] ?? 0) - 1;
    }
  }

  #handle(at: number): number | undefined {
    const to = this.#run(at + 1, isWord);
    if (!isLetter(this.#at(at + 1)) || to - at < 4 || to - at > 33) return undefined;
    this.#found.push({ kind: "handle", from: at, to });
    return to;
  }

  #number(at: number): number | undefined {
    const first = isDigit(this.#at(at)) ? at : at + 1;
    if (!isDigit(this.#at(first)) || (first > at && !"+(".includes(this.#at(at)))) return undefined;
    let to = this.#run(first, isDigit);
    for (;;) {
      const more = this.#run(to, isBetween);
      if (!isDigit(this.#at(more))) break;
      to = this.#run(more, isDigit);
    }
    if (this.#at(to) === ")") to += 1;
    const found = numberOf(this.#text, at, to);
    if (found) this.#found.push(found);
    return to;
  }
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

/** Digits in several groups, or with a sign of arithmetic: a phone, a card, a sum, a date. Single numbers go with the text. */
function numberOf(text: string, start: number, end: number): Found | undefined {
  let [from, word] = [start, text.slice(start, end)];
  // A bracket belongs to the number when both are there.
  if (word.startsWith("(") && !word.includes(")")) {
    from += 1;
    word = word.slice(1);
  }
  if (word.endsWith(")") && !word.includes("(")) word = word.slice(0, -1);
  const to = from + word.length;
  if (/[A-Za-z_]/.test(text.charAt(to))) return undefined;
  const latin = toLatinDigits(word);
  const digits = latin.replace(/[^0-9]/g, "");
  const groups = word.split(new RegExp(`(?!${DIGIT}).`, "u")).filter((each) => each !== "").length;
  const spoken = word.startsWith("+") || /[=+×÷*]/.test(word);
  if (!spoken && (groups < 2 || (digits.length < 7 && /[ –]/.test(word))) && !/^0\d{9,10}$/.test(latin)) return undefined;
  const phone = /^[+0(]/.test(latin) && /^\+?[\d ()\-.]+$/.test(latin) && digits.length >= 8 && digits.length <= 15;
  // A decimal fraction, and a date, begin with a digit and have points or strokes.
  if (!phone || /[./:]/.test(word)) return { kind: "number", from, to };
  return { kind: "phone", from, to, url: `tel:${word.startsWith("+") ? "+" : ""}${digits}` };
}
