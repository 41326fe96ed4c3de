import { createHash } from "node:crypto";
import { elementsOf, fromFp16, type Tensor } from "@aimass/oip";

/**
 * SHA-256 of outputs, with floating-point values rounded to three significant digits (and those below 1e-6 to zero), so that equal models on equal devices
 * agree although their sums differ in the last bits.
 */
export function parityDigest(outputs: readonly Tensor[]): Uint8Array {
  const hash = createHash("sha256");
  for (const { name, datatype, shape, bytes } of outputs) {
    hash.update(`${name}\0${datatype}\0${shape.join(",")}\0`);
    if (datatype === "FP32" || datatype === "FP64" || datatype === "FP16") {
      for (const value of elementsOf(datatype, bytes)) {
        hash.update(`${rounded(datatype === "FP16" ? fromFp16(Number(value)) : Number(value))},`);
      }
    } else {
      hash.update(bytes);
    }
  }
  return new Uint8Array(hash.digest());
}

function rounded(value: number): string {
  return Math.abs(value) < 1e-6 ? "0" : value.toPrecision(3);
}
