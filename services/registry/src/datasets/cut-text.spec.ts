import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cut } from "./cut-text.ts";

describe("a text cut for people", () => {
  it("is itself when it is short, else its beginning", () => {
    expect(cut("abc", 3)).toBe("abc");
    expect(cut("abcd", 3)).toBe("abc…");
    expect(cut("😀😀😀", 3)).toBe("😀😀😀");
    expect(cut("😀😀😀😀", 3)).toBe("😀😀😀…");
    expect(cut("a\ud800b", 9)).toBe("a\ufffdb");
  });

  it("has at most so many whole characters, whatever it is", () => {
    const anything = fc.string({ unit: "binary" });
    fc.assert(
      fc.property(anything, fc.integer({ min: 1, max: 20 }), (text, longest) => {
        const found = cut(text, longest);
        expect(found.isWellFormed()).toBe(true);
        expect(Array.from(found).length).toBeLessThanOrEqual(longest + 1);
        if (Array.from(text).length <= longest) expect(found).toBe(text.toWellFormed());
      }),
    );
  });
});
