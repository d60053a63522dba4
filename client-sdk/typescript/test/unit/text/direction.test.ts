import { describe, expect, it } from "vitest";
import { isolate, paragraphDirection, textDirection } from "../../../src/text/direction.js";

describe("paragraphDirection", () => {
  it.each([
    ["سلام دنیا", "rtl"],
    ["hello world", "ltr"],
    ["سلام Sara خوبی؟", "rtl"],
    ["שלום", "rtl"],
    ["Привет", "ltr"],
  ] as const)("%s", (text, expected) => {
    expect(paragraphDirection(text, "ltr")).toBe(expected);
    expect(paragraphDirection(text, "rtl")).toBe(expected);
  });

  it("is not misled by a leading handle, link, code or English word", () => {
    expect(paragraphDirection("@sara سلام", "ltr")).toBe("rtl");
    expect(paragraphDirection("https://example.org/a/very/long/path را ببین", "ltr")).toBe("rtl");
    expect(paragraphDirection("`npm install` را بزن", "ltr")).toBe("rtl");
    expect(paragraphDirection("Chapar پیام‌رسان خوبی است", "ltr")).toBe("rtl");
    expect(paragraphDirection("😀 سلام", "ltr")).toBe("rtl");
  });

  it("stays left-to-right when a Persian word stands in an English sentence", () => {
    expect(paragraphDirection("The word چاپار means courier in old Persian", "rtl")).toBe("ltr");
  });

  it("falls back to the chat for neutral text", () => {
    expect(paragraphDirection("😀👍", "rtl")).toBe("rtl");
    expect(paragraphDirection("", "rtl")).toBe("rtl");
    expect(paragraphDirection("@sara", "rtl")).toBe("rtl");
  });

  it("reads digits left to right for everybody", () => {
    for (const text of ["۱۲۳", "12:30", "+98 912 345 6789", "۶۰۳۷ ۹۹۷۱ ۱۲۳۴ ۵۶۷۸", "1 + 2 = 3", "021-8877 6655"]) {
      expect([paragraphDirection(text, "rtl"), paragraphDirection(text, "ltr")]).toEqual(["ltr", "ltr"]);
    }
  });

  it("reads a lone link left to right", () => {
    expect(paragraphDirection("https://example.org", "rtl")).toBe("ltr");
  });
});

describe("textDirection", () => {
  it("goes by the first paragraph with letters", () => {
    expect(textDirection("😀\n\nسلام\nhello", "ltr")).toBe("rtl");
    expect(textDirection("1\nhello\nسلام", "rtl")).toBe("ltr");
  });
});

describe("isolate", () => {
  it("wraps in isolates", () => {
    expect(isolate("a")).toBe("\u2068a\u2069");
  });
});
