import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { numberTable } from "./charts.ts";
import { table } from "./output.ts";
import { plainJson, plainLine, plainLines } from "./plain-text.ts";

/** What a terminal obeys. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const commanding = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom("\x1b", "\x07", "\n", "\r", "\t", "\x7f", "\x85", "\x9b", "\u202e", "\u2066", "\u2028", "\0"),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }),
  ),
});

describe("text of strangers", () => {
  it("commands no terminal, in lines, tables and JSON", () => {
    fc.assert(
      fc.property(text, (words) => {
        expect(plainLine(words)).not.toMatch(commanding);
        for (const line of [...table(["A", "B"], [[words, "1"]]), ...numberTable(["A", "B"], [[words, "1"]])]) {
          expect(line).not.toMatch(commanding);
        }
        for (const line of plainLines(words).split("\n")) expect(line).not.toMatch(commanding);
        const json = plainJson(JSON.stringify({ words }, undefined, 2));
        expect(json.replaceAll("\n", "")).not.toMatch(commanding);
        expect(JSON.parse(json)).toEqual({ words });
      }),
      { numRuns: 500 },
    );
  });

  it("shows what it is", () => {
    expect(plainLine("a\tb\x1b[31m\x9b\u202e\n\r\x7f")).toBe("a b\\x1b[31m\\x9b\\u202e\\n\\r\\x7f");
    expect(plainLine("Zoë 中文 🙂 👩‍👩‍👧")).toBe("Zoë 中文 🙂 👩‍👩‍👧");
  });

  it("makes no line that begins as one of this program", () => {
    expect(plainLines("one\ntwo\r\nthree")).toBe("one\n  two\n  three");
  });
});
