import { createHash, type Hash } from "node:crypto";
import { type ElementArray, elementsOf, fromFp16, type Tensor } from "@aimass/oip";

/** Elements of one output that are looked at, at most; spread evenly over it. */
const sampledElements = 4096;

/** Bytes of one BYTES output that are looked at, at most. */
const sampledBytes = 65_536;

/**
 * SHA-256 of outputs: of a bounded sample of each, so that it costs the same for a score and for an image, with floating-point values rounded to three significant
 * digits (and those below 1e-6 to zero), so that equal models on equal devices agree although their sums differ in the last bits.
 */
export function parityDigest(outputs: readonly Tensor[]): Uint8Array {
  const hash = createHash("sha256");
  for (const { name, datatype, shape, bytes } of outputs) {
    hash.update(`${name}\0${datatype}\0${shape.join(",")}\0${bytes.byteLength}\0`);
    if (datatype === "BYTES") {
      hash.update(bytes.subarray(0, sampledBytes));
      continue;
    }
    const elements = elementsOf(datatype, bytes);
    const isFloat = datatype === "FP32" || datatype === "FP64" || datatype === "FP16";
    const textOf = isFloat
      ? (value: number | bigint) => rounded(datatype === "FP16" ? fromFp16(Number(value)) : Number(value))
      : String;
    hashSample(hash, elements, textOf);
  }
  return new Uint8Array(hash.digest());
}

/** Every n-th element, and the last. */
function hashSample(hash: Hash, elements: ElementArray, textOf: (value: number | bigint) => string): void {
  const step = Math.max(1, Math.floor(elements.length / sampledElements));
  const texts: string[] = [];
  for (let i = 0; i < elements.length; i += step) texts.push(textOf(elements[i] as number | bigint));
  if (elements.length > 0) texts.push(textOf(elements[elements.length - 1] as number | bigint));
  hash.update(texts.join(","));
}

function rounded(value: number): string {
  return Math.abs(value) < 1e-6 ? "0" : value.toPrecision(3);
}
