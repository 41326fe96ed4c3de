import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineReader } from "./line-reader.ts";

function read(...chunks: readonly (string | Uint8Array)[]): string[] {
  const lines: string[] = [];
  const reader = new LineReader((line) => lines.push(line));
  for (const chunk of chunks) reader.push(Buffer.from(chunk));
  reader.end();
  return lines;
}

describe("what a script prints", () => {
  it("comes line by line, however it was cut into chunks", () => {
    const text = fc.array(
      fc.string({ unit: "grapheme", maxLength: 30 }).map((s) => s.replace(/\p{Cc}/gu, "")),
      { maxLength: 50 },
    );
    fc.assert(
      fc.property(text, fc.array(fc.nat(200), { maxLength: 10 }), (lines, cuts) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
        const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
        const chunks = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
        expect(read(...chunks)).toEqual(lines);
      }),
    );
  });

  it.each([
    ["a last line without a line feed", ["a\nb"], ["a", "b"]],
    ["Windows line ends, also when cut in two", ["a\r\nb\r", "\nc"], ["a", "b", "c"]],
    ["a progress bar", [" 10%\r 50%", "\r100%\n"], ["100%"]],
    ["a progress bar, drawn piece by piece", [..."0123456789"].map((n) => `${n}0%\r`), ["90%"]],
    ["colours and control characters", ["\u001b[31mred\u001b[0m\u0000\u0007\n"], ["red"]],
    ["bytes that are not UTF-8", [new Uint8Array([0xff, 0x61, 0x0a])], ["\ufffda"]],
  ])("keeps its meaning: %s", (_, chunks, lines) => {
    expect(read(...chunks)).toEqual(lines);
  });

  it("is cut when a line never ends, and goes on with the next", () => {
    const lines = read(...Array.from({ length: 1000 }, () => "x".repeat(10_000)), "\nnext\n");
    expect(lines).toEqual([`${"x".repeat(3999)}…`, "next"]);
  });

  it("is thinned out when there is too much at once, the last lines last", () => {
    const lines = read(Array.from({ length: 5000 }, (_, i) => `${i}\n`).join(""));
    expect(lines).toHaveLength(201);
    expect(lines[0]).toBe("[4800 lines left out]");
    expect(lines.at(-1)).toBe("4999");
  });

  it("never tears a character in two at the end of a long line", () => {
    const [line] = read("😀".repeat(4000));
    expect(line?.isWellFormed()).toBe(true);
  });
});
