import type { TensorSpec } from "../signature.ts";
import type { Elements, NumericElements } from "./runtime.ts";

/** One output of a trial run. */
export interface TrialOutput {
  readonly shape: readonly number[];
  readonly elements: Elements;
}

/** The outputs of a run by name. */
export type TrialOutputs = ReadonlyMap<string, TrialOutput>;

/**
 * How far batched numbers may be from unbatched ones, relative to the larger of 1 and the number itself; 0 means equal. A kernel sums in another order for another
 * number of rows, which moves the last digits of its type; what a row's neighbours change is larger by orders.
 */
export function toleranceOf({ datatype }: TensorSpec): number {
  switch (datatype) {
    case "FP32":
      return 1e-4;
    case "FP64":
      return 1e-9;
    case "FP16":
      return 4e-3;
    case "BF16":
      return 3e-2;
    default:
      return 0;
  }
}

/** Whether the batched shape is the single shapes stacked along axis 0, one row each. */
export function stacks(whole: TrialOutput, parts: readonly TrialOutput[]): boolean {
  return parts.every(
    (part) =>
      part.shape[0] === 1 &&
      whole.shape[0] === parts.length &&
      part.shape.length === whole.shape.length &&
      part.shape.slice(1).every((axis, index) => axis === whole.shape[index + 1]),
  );
}

/** Whether two runs of the same input gave the same, as far as the type of their numbers goes. */
export function isSame(spec: TensorSpec, before: TrialOutput, after: TrialOutput): boolean {
  return before.shape.join() === after.shape.join() && distance(spec, after, 0, before) <= toleranceOf(spec);
}

/**
 * How far row `row` of a batched output is from the same row alone: the largest difference relative to the larger of 1 and the number; Infinity for texts, whole
 * numbers and truths that are not equal.
 */
export function distance(spec: TensorSpec, whole: TrialOutput, row: number, alone: TrialOutput): number {
  const { length } = alone.elements;
  let worst = 0;
  for (let index = 0; index < length; index += 1) {
    const left = elementAt(spec, whole.elements, row * length + index);
    const right = elementAt(spec, alone.elements, index);
    if (Object.is(left, right) || left === right) continue;
    if (typeof left !== "number" || typeof right !== "number" || toleranceOf(spec) === 0)
      return Number.POSITIVE_INFINITY;
    const apart = Math.abs(left - right) / Math.max(1, Math.abs(left), Math.abs(right));
    worst = Math.max(worst, Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart);
  }
  return worst;
}

function elementAt(spec: TensorSpec, elements: Elements, index: number): string | number | bigint {
  const element = (elements as NumericElements | string[])[index] as string | number | bigint;
  return spec.datatype === "FP16" ? numberOfHalf(element as number) : element;
}

/** The number of an FP16 bit pattern (IEEE 754 binary16). */
function numberOfHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
