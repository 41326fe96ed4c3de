import { bytesFromElements, stringElements } from "@aimass/oip";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rawContents, tensor, tensorOf } from "./tensor.ts";

describe("a tensor", () => {
  it("comes back from its bytes, wherever in a message they stand", () => {
    const whole = fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
    fc.assert(
      fc.property(whole, fc.nat(7), (values, offset) => {
        const one = tensor("INT64", [values.length], BigInt64Array.from(values));
        const message = new Uint8Array(offset + 8 * values.length);
        message.set(rawContents(one), offset);
        expect(tensorOf("INT64", one.shape, message.subarray(offset))).toEqual(one);
      }),
    );
  });

  it("of texts is written as the mesh reads it", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" })), (texts) => {
        const bytes = rawContents(tensor("BYTES", [texts.length], texts));
        expect(stringElements(bytes)).toEqual(texts);
        expect(tensorOf("BYTES", [texts.length], bytesFromElements(texts)).data).toEqual(texts);
      }),
      { examples: [[["\ufeffkept", ""]]] },
    );
  });

  it("is made of plain numbers", () => {
    expect(tensor("FP32", [2], [1.5, 2]).data).toEqual(Float32Array.of(1.5, 2));
    expect(tensor("INT64", [2], [1, -2]).data).toEqual(BigInt64Array.of(1n, -2n));
  });

  it("needs as many elements as its shape says, and an answer's bytes must be whole", () => {
    expect(() => tensor("FP32", [2, 2], [1, 2, 3])).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    for (const [datatype, bytes] of [
      ["FP32", 3],
      ["BYTES", 3],
      ["NEW", 4],
    ] as const)
      expect(() => tensorOf(datatype, [1], new Uint8Array(bytes).fill(9))).toThrow(/no tensor of/);
  });
});
