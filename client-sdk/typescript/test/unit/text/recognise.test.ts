import { describe, expect, it } from "vitest";
import { recognise, workOf } from "../../../src/text/recognise.js";

/** Texts that somebody may paste to keep a phone busy: each piece begins like something that it is not. */
const ODD = {
  "one long word": "a",
  "a name before no @": "a%",
  "a name with points before no @": "a.",
  "many @": "a@",
  "mail without an end": "a@a.",
  "a host without an end": "a.a-",
  "labels of one letter": "a.",
  "hyphens": "a-",
  "half a scheme": "http",
  "a scheme inside a word": "ahttps://",
  "schemes after each other": "https://",
  "schemes apart": "https://a ",
  "www without an end": "www.",
  "www after www": "www.a",
  "brackets after an address": ")",
  "points after an address": ".",
  "opened brackets": "(",
  "brackets and digits": "(1",
  "pluses": "+1",
  "digits": "1",
  "Persian digits": "۱",
  "digits apart": "1 ",
  "signs between digits": "1--------",
  "handles": "@a",
  "a long handle": "_",
  "all of it": "a@b.c-d(1+https://x.y)z%@w.",
};
const LEADS = ["", "https://x", "a@", "@a", "www.", "1", "("];

describe("what is recognised", () => {
  it("costs a few looks at each sign, however long and odd the text is", () => {
    for (const [name, piece] of Object.entries(ODD)) {
      for (const lead of LEADS) {
        const of = (length: number): number => workOf(lead + piece.repeat(Math.ceil(length / piece.length)).slice(0, length));
        const [short, long] = [of(2_000), of(64_000)];
        expect(long, `${name} after ${JSON.stringify(lead)}`).toBeLessThan(64_000 * 12);
        // The work of a square would be a thousand times as much.
        expect(long / short, `${name} after ${JSON.stringify(lead)}`).toBeLessThan(40);
      }
    }
  });

  it("is in order, without overlaps, within the text, for whatever is typed", () => {
    // Seeded, so that a failure comes again.
    let state = 20_261_128;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % below;
    };
    const pieces = ["https://", "www.", "a", "b1", "example", ".org", ".ir", ".rs", "@", "sara", "_", "-", "/", "(", ")", " ", "،", "۱", "۲۳", "0", "912", "+98", "%", "?", "سلام", "\n", "[", "]"];
    for (let round = 0; round < 4_000; round++) {
      const text = Array.from({ length: 1 + random(12) }, () => pieces[random(pieces.length)]).join("");
      let before = 0;
      for (const { from, to } of recognise(text)) {
        expect(from, text).toBeGreaterThanOrEqual(before);
        expect(to, text).toBeGreaterThan(from);
        expect(to, text).toBeLessThanOrEqual(text.length);
        before = to;
      }
    }
  });
});
