import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { elementText, exactly, parseExact, stringifyExact } from "./exact-json.ts";

describe("numbers on their way through the command line", () => {
  it("keep all their digits", () => {
    const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n });
    fc.assert(
      fc.property(fc.array(int64), (values) => {
        const text = `{"x":[${values.join(",")}],"y":0.1,"s":"9007199254740993"}`;
        expect(stringifyExact(parseExact(text))).toBe(text);
        expect(JSON.stringify(exactly(parseExact(text)))).toBe(text);
      }),
    );
  });

  it.each([
    [123456789, "FP32", "123456789"],
    [9007199254740993n, "INT64", "9007199254740993"],
    [Math.fround(0.1), "FP32", "0.1"],
    [Math.fround(1 / 3), "FP32", "0.33333334"],
    [0.1, "FP64", "0.1"],
    [1 / 3, "FP64", "0.3333333333333333"],
    [Math.fround(1234567.9), "FP32", "1234567.9"],
    ["NaN", "FP32", '"NaN"'],
    [true, "BOOL", "true"],
  ])("are shown as they are: %s of %s as %s", (value, datatype, shown) => {
    expect(elementText(value, datatype)).toBe(shown);
  });

  it("of FP32 are shown with digits that give the same number again", () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Math.fround(Number(elementText(value, "FP32")))).toBe(Math.fround(value + 0));
      }),
    );
  });
});
