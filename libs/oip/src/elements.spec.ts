import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  alignedView,
  assertTextElements,
  bytesElements,
  bytesFromElements,
  classify,
  countBytesElements,
  fromBf16,
  fromFp16,
  stringElements,
  type Tensor,
  toBf16,
  toFp16,
} from "./index.ts";

describe("half precision", () => {
  it("keeps every FP16 pattern but NaN's through a number", () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = fromFp16(bits);
      if (!Number.isNaN(value)) expect(toFp16(value)).toBe(bits);
    }
  });

  it("keeps every BF16 pattern but NaN's through a number and rounds ties to even", () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = fromBf16(bits);
      if (Number.isNaN(value)) expect(fromBf16(toBf16(value))).toBeNaN();
      else expect(toBf16(value)).toBe(bits);
    }
    expect(fromBf16(toBf16(1 + 2 ** -8))).toBe(1);
    expect(fromBf16(toBf16(1 + 3 * 2 ** -8))).toBe(1 + 2 ** -6);
    expect(fromBf16(toBf16(3.4e38))).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("BYTES elements", () => {
  it("survive framing", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (elements) => {
        const framed = bytesFromElements(elements);
        expect(bytesElements(framed).map((element) => [...element])).toEqual(elements.map((element) => [...element]));
        expect(countBytesElements(framed)).toBe(elements.length);
      }),
    );
  });

  it("that are not UTF-8 are refused as strings", () => {
    expect(() => stringElements(bytesFromElements([Uint8Array.of(0xff)]), "t")).toThrow(
      /Element 0 of tensor "t" is not UTF-8/,
    );
  });

  it("that a runtime of C strings would not keep whole are refused for it", () => {
    expect(() => assertTextElements(bytesFromElements(["", "ü€😀"]), "t")).not.toThrow();
    expect(() => assertTextElements(bytesFromElements(["a", "b\0c"]), "t")).toThrow(
      /Element 1 of tensor "t" holds .* U\+0000/,
    );
    expect(() => assertTextElements(bytesFromElements([Uint8Array.of(0xc3)]), "t")).toThrow(/Element 0 .* not UTF-8/);
  });
});

describe("alignedView", () => {
  it("copies only when the address does not fit", () => {
    const bytes = new Uint8Array(32);
    expect(alignedView(bytes.subarray(8, 16), 8).buffer).toBe(bytes.buffer);
    const copied = alignedView(bytes.subarray(3, 11), 4);
    expect(copied.buffer).not.toBe(bytes.buffer);
    expect(copied.byteLength).toBe(8);
  });
});

describe("classify", () => {
  const scores = (shape: number[], ...values: number[]): Tensor => ({
    name: "p",
    datatype: "FP32",
    shape,
    bytes: new Uint8Array(Float32Array.from(values).buffer),
  });

  it("answers the best classes of each sample, best first, with labels where there are some", () => {
    const best = classify(scores([2, 3], 0.25, 0.5, 0.125, 1, 3, 2), 2, ["cat", "dog"]);
    expect(best.shape).toEqual([2, 2]);
    expect(stringElements(best.bytes)).toEqual(["0.5:1:dog", "0.25:0:cat", "3:1:dog", "2:2"]);
  });

  it("treats one axis as classes, cuts k, ranks NaN last and equal scores by index", () => {
    expect(stringElements(classify(scores([4], 1, Number.NaN, 1, 2), 9).bytes)).toEqual(["2:3", "1:0", "1:2", "NaN:1"]);
  });

  it("finds the same few best in one pass as by sorting all", () => {
    const values = fc.array(fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constant(Number.NaN)), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 16 }), (row, k) => {
        const all = stringElements(classify(scores([row.length], ...row), 17 + row.length).bytes);
        expect(stringElements(classify(scores([row.length], ...row), k).bytes)).toEqual(all.slice(0, k));
      }),
    );
  });
});
