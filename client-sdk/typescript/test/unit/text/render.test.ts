import { describe, expect, it } from "vitest";
import { parseMarkup } from "../../../src/text/markup.js";
import { isJumbo, toBlocks, toPreview } from "../../../src/text/render.js";

const blocks = (source: string) => {
  const { text, entities } = parseMarkup(source);
  return toBlocks(text, entities, "rtl");
};

describe("toBlocks", () => {
  it("gives each paragraph its own direction", () => {
    expect(toBlocks("سلام\nhello", [], "rtl")).toEqual([
      {
        kind: "text",
        lines: [
          { dir: "rtl", runs: [{ text: "سلام", marks: [] }] },
          { dir: "ltr", runs: [{ text: "hello", marks: [] }] },
        ],
      },
    ]);
  });

  it("never makes markup of what looks like it", () => {
    const text = "<img src=x onerror=alert(1)>";
    expect(toBlocks(text, [], "ltr")).toEqual([{ kind: "text", lines: [{ dir: "ltr", runs: [{ text, marks: [] }] }] }]);
  });

  it("cuts at the bounds of overlapping marks", () => {
    const [block] = toBlocks("abcd", [{ offset: 0, length: 3, type: "bold" }, { offset: 2, length: 2, type: "italic" }], "ltr");
    expect(block).toEqual({
      kind: "text",
      lines: [
        {
          dir: "ltr",
          runs: [
            { text: "ab", marks: ["bold"] },
            { text: "c", marks: ["bold", "italic"] },
            { text: "d", marks: ["italic"] },
          ],
        },
      ],
    });
  });

  it("sets quotes and code apart", () => {
    expect(blocks("پیش\n> نقل\nپس").map((b) => b.kind)).toEqual(["text", "quote", "text"]);
    expect(blocks("```js\na\n\nb\n```\nپس")).toMatchObject([{ kind: "pre", text: "a\n\nb", language: "js" }, { kind: "text" }]);
  });

  it("finds typed addresses and handles, not inside code", () => {
    const [block] = blocks("ببین https://example.org/a. و @sara `@code https://x.y`");
    const runs = block?.kind === "text" ? block.lines[0]?.runs : [];
    expect(runs?.filter((r) => r.url ?? r.handle).map((r) => [r.text, r.url, r.handle])).toEqual([
      ["https://example.org/a", "https://example.org/a", undefined],
      ["@sara", undefined, "sara"],
    ]);
  });

  it("drops hostile links and marks outside the text", () => {
    const entity = { offset: 0, length: 1, type: "link", url: "javascript:alert(1)" } as const;
    const [block] = toBlocks("a", [entity, { offset: 0, length: 9, type: "bold" }, { offset: 5, length: 1, type: "bold" }], "ltr");
    expect(block).toEqual({ kind: "text", lines: [{ dir: "ltr", runs: [{ text: "a", marks: [] }] }] });
  });

  it("keeps the text under unknown marks", () => {
    const [block] = toBlocks("a", [{ offset: 0, length: 1, type: "sparkle" }], "ltr");
    expect(block).toEqual({ kind: "text", lines: [{ dir: "ltr", runs: [{ text: "a", marks: [] }] }] });
  });
});

describe("toPreview", () => {
  it("flattens lines and covers spoilers", () => {
    const { text, entities } = parseMarkup("یک\nدو ||راز||");
    expect(toPreview(text, entities)).toBe("یک دو ░░░");
  });
});

describe("isJumbo", () => {
  it.each(["😀", "👍🏽", "👨‍👩‍👧‍👦", "🇮🇷", "❤️", "😀😀😀"])("%s", (text) => expect(isJumbo(text)).toBe(true));
  it.each(["", "a", "1", "12", "😀😀😀😀", "😀 سلام", "#"])("not %s", (text) => expect(isJumbo(text)).toBe(false));
});

describe("what is set apart in a line", () => {
  const runs = (text: string, entities: Parameters<typeof toBlocks>[1] = []) => {
    const [block] = toBlocks(text, entities, "rtl");
    return block?.kind === "text" ? (block.lines[0]?.runs ?? []) : [];
  };

  it("reads a number of several groups from the left, in Persian too", () => {
    expect(runs("شماره‌ام +98 912 345 6789 است").find((run) => run.ltr)).toMatchObject({ text: "+98 912 345 6789", url: "tel:+989123456789" });
    expect(runs("کارتم ۶۰۳۷ ۹۹۷۱ ۱۲۳۴ ۵۶۷۸ است").find((run) => run.ltr)).toMatchObject({ text: "۶۰۳۷ ۹۹۷۱ ۱۲۳۴ ۵۶۷۸" });
    expect(runs("حساب کن ۲ + ۳ = ۵ درست است").find((run) => run.ltr)?.text).toBe("۲ + ۳ = ۵");
    // Two numbers that only stand side by side are read as the sentence is.
    expect(runs("ساعت ۵ ۶ نفر آمدند").some((run) => run.ltr)).toBe(false);
  });

  it("knows a link whose words name another address", () => {
    const link = (text: string, url: string) => runs(text, [{ type: "link", offset: 0, length: text.length, url }])[0];
    expect(link("https://bank.example", "https://evil.example/")?.misleads).toBe(true);
    expect(link("example.org", "https://www.example.org/a")?.misleads).toBeUndefined();
    expect(link("اینجا", "https://evil.example/")?.misleads).toBeUndefined();
  });
});

describe("a word of Latin letters with signs at its ends", () => {
  const ltr = (text: string): string[] =>
    toBlocks(text, [], "rtl").flatMap((block) => (block.kind === "pre" ? [] : block.lines.flatMap((line) => line.runs.filter((run) => run.ltr).map((run) => run.text))));

  it("is set apart, so that its signs keep their side among Persian letters", () => {
    expect(ltr("C++ و C# و __init__.py و a**b**c همان می‌مانند")).toEqual(["C++", "C#", "__init__.py"]);
    expect(ltr("متغیر $HOME و -v و /usr/bin است")).toEqual(["$HOME", "-v", "/usr/bin"]);
  });

  it("leaves plain words, sentences and what is recognised otherwise alone", () => {
    expect(ltr("این Chapar است. OK? بله، yes!")).toEqual([]);
    expect(ltr("https://example.org/a_b/ را ببین")).toEqual([]);
    expect(ltr("نشانی someone@example.org است")).toEqual([]);
  });

  it("costs no more than the text is long", () => {
    const began = performance.now();
    for (const part of ["+#_*", "a++ ", "-a-", "_.'"]) toBlocks(part.repeat(1_024), [], "rtl");
    expect(performance.now() - began).toBeLessThan(500);
  });
});
