/**
 * Text with marks, for whoever shows or writes messages: `@chapar/client/text`.
 *
 * ```ts
 * const { text, entities } = parseMarkup("**hello** @sara, see example.org/page");
 * await client.send(7, textBody(text, entities));
 * for (const block of toBlocks(text, entities, "ltr")) draw(block);          // paragraphs in their own direction, links that are safe
 * ```
 *
 * @module
 */

export { fold, normalizeHandle, toLatinDigits } from "./digits.js";
export { isolate, paragraphDirection, textDirection, type Direction } from "./direction.js";
export { parseMarkup, toMarkup } from "./markup.js";
export { recognise, safeUrl, type Found } from "./recognise.js";
export * from "./render.js";
export { shows } from "./visible.js";
