import { describe, expect, it } from "vitest";
import { fold, normalizeHandle, toLatinDigits } from "../../../src/text/digits.js";

describe("digits", () => {
  it("takes all sets of digits", () => {
    expect(toLatinDigits("۰۱۲۳۴۵۶۷۸۹ ٠١٢٣٤٥٦٧٨٩ 0123456789 ０９")).toBe("0123456789 0123456789 0123456789 09");
  });

  it("folds what people take for the same", () => {
    expect(fold("كتاب")).toBe(fold("کتاب"));
    expect(fold("علي")).toBe(fold("علی"));
    expect(fold("می‌روم")).toBe(fold("میروم"));
    expect(fold("مُحَمَّد")).toBe(fold("محمد"));
    expect(fold("آب")).toBe(fold("اب"));
    expect(fold("اتاق ۱۲")).toBe(fold("اتاق ١٢"));
    expect(fold("Sara")).toBe("sara");
  });

  it("reads a handle as it was typed", () => {
    expect(normalizeHandle(" @Sara_۱۲ ")).toBe("sara_12");
  });
});
