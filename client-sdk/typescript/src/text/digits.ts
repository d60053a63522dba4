/** Arabic-Indic (٠–٩, U+0660), extended Arabic-Indic (۰–۹, U+06F0) and full-width digits. */
const FOREIGN_DIGIT = /[\u0660-\u0669\u06f0-\u06f9\uff10-\uff19]/g;

/** Writes every digit as 0–9: what a person types may come from any keyboard. */
export function toLatinDigits(text: string): string {
  return text.replace(FOREIGN_DIGIT, (digit) => String((digit.charCodeAt(0) & 0xf) % 10));
}

/**
 * A form of `text` in which letters and digits that people take for the same compare equal: ي and ی, ك and ک, hamza
 * carriers and alef, digits of all sets; diacritics, tatweel and the zero-width non-joiner vanish. For searching, never for
 * showing.
 */
export function fold(text: string): string {
  return toLatinDigits(text.normalize("NFKD"))
    .replace(/[\u0300-\u036f\u064b-\u065f\u0670\u0640\u200c-\u200f\u202a-\u202e\u2066-\u2069]/g, "")
    .replace(/[يىئ]/g, "ی")
    .replace(/ك/g, "ک")
    .replace(/[أإآٱ]/g, "ا")
    .replace(/ؤ/g, "و")
    .replace(/[ةۀ]/g, "ه")
    .toLowerCase();
}

/** A handle as the server wants it, from what a person typed: no `@`, digits 0–9, lower case. */
export function normalizeHandle(typed: string): string {
  return toLatinDigits(typed).replace(/[\s@\u200c-\u200f\u202a-\u202e\u2066-\u2069]/g, "").toLowerCase();
}
