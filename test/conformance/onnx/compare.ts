import { bytesElements, elementsOf, formatShape, fromBf16, fromFp16, type Tensor } from "@aimass/oip";

/** How far an output may be from the expected one: |got − wanted| ≤ atol + rtol × |wanted|, as ONNX's own runner has it. */
export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** What differs between outputs and the expected ones; undefined when nothing does. */
export function difference(
  got: readonly Tensor[],
  wanted: readonly Tensor[],
  tolerance: Tolerance,
): string | undefined {
  for (const expected of wanted) {
    const found = got.find((tensor) => tensor.name === expected.name);
    if (found === undefined) return `output ${expected.name} is missing`;
    const different = tensorDifference(found, expected, tolerance);
    if (different !== undefined) return `output ${expected.name} ${different}`;
  }
  return undefined;
}

function tensorDifference(got: Tensor, wanted: Tensor, tolerance: Tolerance): string | undefined {
  if (got.datatype !== wanted.datatype) return `is ${got.datatype} instead of ${wanted.datatype}`;
  if (formatShape(got.shape) !== formatShape(wanted.shape)) {
    return `has shape ${formatShape(got.shape)} instead of ${formatShape(wanted.shape)}`;
  }
  if (wanted.datatype === "BYTES") return textDifference(got, wanted);
  const [left, right] = [numbersOf(got), numbersOf(wanted)];
  for (let i = 0; i < right.length; i++) {
    const [a, b] = [left[i] as number | bigint, right[i] as number | bigint];
    if (!close(a, b, tolerance)) return `is ${a} instead of ${b} at element ${i}`;
  }
  return undefined;
}

function close(a: number | bigint, b: number | bigint, { rtol, atol }: Tolerance): boolean {
  if (a === b || Object.is(a, b)) return true;
  const [left, right] = [Number(a), Number(b)];
  return Math.abs(left - right) <= atol + rtol * Math.abs(right);
}

function textDifference(got: Tensor, wanted: Tensor): string | undefined {
  const [left, right] = [bytesElements(got.bytes), bytesElements(wanted.bytes)];
  const at = right.findIndex((element, index) => !Buffer.from(element).equals(left[index] ?? Buffer.alloc(0)));
  return at < 0 ? undefined : `differs at element ${at}`;
}

function numbersOf(tensor: Tensor): ArrayLike<number | bigint> {
  if (tensor.datatype === "BYTES") return [];
  const elements = elementsOf(tensor.datatype, tensor.bytes);
  if (tensor.datatype === "FP16") return Array.from(elements as Uint16Array, fromFp16);
  if (tensor.datatype === "BF16") return Array.from(elements as Uint16Array, fromBf16);
  return elements;
}
