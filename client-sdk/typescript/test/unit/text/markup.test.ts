import { describe, expect, it } from "vitest";
import { parseMarkup, safeUrl, toMarkup } from "../../../src/text/markup.js";

const marks = (source: string) => parseMarkup(source).entities.map((e) => [e.type, e.offset, e.length]);

describe("parseMarkup", () => {
  it("leaves plain text alone", () => {
    for (const text of ["سلام 👋 دارا!", "2 * 3 * 4", "a_b_c", "x > y", "10 || 20 ||", "**", "****", "** a **", "`", "snake__case"]) {
      expect(parseMarkup(text)).toEqual({ text, entities: [] });
    }
  });

  it("counts UTF-16 code units", () => {
    expect(parseMarkup("سلام 👋 **دارا**!")).toEqual({
      text: "سلام 👋 دارا!",
      entities: [{ offset: 8, length: 4, type: "bold" }],
    });
  });

  it("knows each mark", () => {
    expect(marks("__a__ ++b++ ~~c~~ ||d|| `e`")).toEqual([
      ["italic", 0, 1],
      ["underline", 2, 1],
      ["strike", 4, 1],
      ["spoiler", 6, 1],
      ["code", 8, 1],
    ]);
  });

  it("nests", () => {
    expect(parseMarkup("**a __b__**")).toEqual({
      text: "a b",
      entities: [
        { offset: 0, length: 3, type: "bold" },
        { offset: 2, length: 1, type: "italic" },
      ],
    });
  });

  it("reads nothing inside code", () => {
    expect(parseMarkup("`**a**`")).toEqual({ text: "**a**", entities: [{ offset: 0, length: 5, type: "code" }] });
  });

  it("reads fences with a language", () => {
    expect(parseMarkup('see\n```rust\nlet a = "**";\n```')).toEqual({
      text: 'see\nlet a = "**";',
      entities: [{ offset: 4, length: 13, type: "pre", language: "rust" }],
    });
  });

  it("reads links of http and https only", () => {
    expect(parseMarkup("[اینجا](https://example.org/a)")).toEqual({
      text: "اینجا",
      entities: [{ offset: 0, length: 5, type: "link", url: "https://example.org/a" }],
    });
    expect(parseMarkup("[x](javascript:alert(1))").entities).toEqual([]);
  });

  it("joins quoted lines", () => {
    expect(parseMarkup("> یک\n> دو\nسه")).toEqual({ text: "یک\nدو\nسه", entities: [{ offset: 0, length: 5, type: "quote" }] });
    expect(parseMarkup("پیش\n> نقل\nپس")).toEqual({ text: "پیش\nنقل\nپس", entities: [{ offset: 4, length: 3, type: "quote" }] });
  });

  it("obeys the backslash", () => {
    expect(parseMarkup("\\**a**")).toEqual({ text: "**a**", entities: [] });
    expect(parseMarkup("\\`a`")).toEqual({ text: "`a`", entities: [] });
  });

  it("trims, and moves the marks with it", () => {
    expect(parseMarkup("  **a**  \n")).toEqual({ text: "a", entities: [{ offset: 0, length: 1, type: "bold" }] });
  });
});

describe("toMarkup", () => {
  it.each([
    "سلام 👋 **دارا**!",
    "**a __b__** ~~c~~ ||d|| ++e++ `f`",
    "> یک\n> دو\nسه",
    "[اینجا](https://example.org/a) و **[آنجا](https://example.org/b)**",
    'see\n```rust\nlet a = "**";\n```',
    "\\**a\\** \\`b\\` c:\\\\d",
  ])("comes back: %s", (source) => {
    const once = parseMarkup(source);
    expect(parseMarkup(toMarkup(once))).toEqual(once);
  });

  it("comes back for random texts", () => {
    // A linear congruential generator, so that a failure can be seen again.
    let seed = 20261124;
    const next = (bound: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return seed % bound;
    };
    const parts = ["**", "__", "~~", "||", "++", "`", "سلام", " ", "a", "\n", "> ", "[x](https://a.b)", "👋", "\\", "_", "*"];
    for (let round = 0; round < 3000; round++) {
      let source = "";
      for (let i = 0; i < 1 + next(10); i++) source += parts[next(parts.length)];
      const once = parseMarkup(source);
      for (const entity of once.entities) {
        expect(entity.length, source).toBeGreaterThan(0);
        expect(entity.offset + entity.length, source).toBeLessThanOrEqual(once.text.length);
      }
      expect(parseMarkup(toMarkup(once)).text, JSON.stringify(source)).toBe(once.text);
    }
  });
});

describe("safeUrl", () => {
  it("passes http and https only", () => {
    expect(safeUrl("https://example.org")).toBe("https://example.org/");
    expect(safeUrl("http://example.org/a?b")).toBe("http://example.org/a?b");
    for (const bad of ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "vbscript:x", "//example.org", "x", " javascript:1"]) {
      expect(safeUrl(bad)).toBeUndefined();
    }
  });
});
