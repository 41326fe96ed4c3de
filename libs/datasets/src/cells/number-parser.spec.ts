import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { numberOf } from "./cell-values.ts";

describe("a number in text", () => {
  it("is the nearest double, also when it lies next to the middle of two", () => {
    const middle = fc.double({ min: 1, max: 5, noNaN: true }).map((x) => {
      const next = x + 2 ** -52 * (x >= 4 ? 4 : x >= 2 ? 2 : 1);
      const digits = ((BigInt(Math.round(x * 2 ** 52)) + BigInt(Math.round(next * 2 ** 52))) * 10n ** 18n) / 2n ** 53n;
      return String(digits).replace(/^\d/, (first) => `${first}.`);
    });
    const digits = fc
      .tuple(fc.stringMatching(/^\d{1,14}$/), fc.stringMatching(/^\d{1,12}$/))
      .map(([a, b]) => `${a}.${b}`);
    const shortest = fc.double({ noNaN: true, noDefaultInfinity: true }).map(String);
    fc.assert(
      fc.property(fc.oneof(middle, digits, shortest), (text) => {
        expect(numberOf(text)).toBe(Number(text));
      }),
      { numRuns: 20_000 },
    );
  });

  it.each([
    "",
    " ",
    "-",
    "+",
    ".",
    "1e",
    "1e+",
    "e5",
    "1.2.3",
    "1 2",
    "0x10",
    "1_000",
    "1,5",
    "NaN",
    "Infinity",
    "1e999",
    "--1",
    "１",
  ])("is not %j", (text) => {
    expect(numberOf(text)).toBeUndefined();
  });

  it.each([
    ["+5", 5],
    [" 7\t", 7],
    [".5", 0.5],
    ["5.", 5],
    ["1E-3", 0.001],
    ["007", 7],
  ])("is %j", (text, value) => {
    expect(numberOf(text)).toBe(value);
  });
});
