import { AimassError } from "@aimass/core";
import { bytesFromElements } from "./bytes-elements.ts";
import { elementCount, quoted } from "./datatype.ts";
import { fromBf16, fromFp16 } from "./half.ts";
import { elementsOf, type Tensor } from "./tensor.ts";

/** So few best ones are found faster by one pass than by sorting all. */
const insertUpTo = 16;

/**
 * The k best classes of a tensor of scores, as Triton's classification extension has them: BYTES elements "value:index[:label]", best
 * first; equal scores by index. Axis 0 of a tensor of two or more axes (or of any tensor when `batched` says so) counts samples, what
 * follows are the classes: [2,10] → [2,k]. k is cut to the number of classes. Throws INVALID_ARGUMENT for BYTES.
 */
export function classify(
  tensor: Tensor,
  k: number,
  labels: readonly string[] = [],
  batched = tensor.shape.length > 1,
): Tensor {
  const { length, score } = scoresOf(tensor);
  const samples = batched ? (tensor.shape[0] ?? 1) : 1;
  const classes = batched ? elementCount(tensor.shape.slice(1), tensor.name) : length;
  const best = Math.min(k, classes);
  const elements: string[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const base = sample * classes;
    const scoreOf = (index: number) => score(base + index);
    for (const index of bestIndices(scoreOf, classes, best)) {
      elements.push(formatClass(scoreOf(index), index, labels[index]));
    }
  }
  const shape = batched ? [samples, best] : [best];
  return { name: tensor.name, datatype: "BYTES", shape, bytes: bytesFromElements(elements) };
}

/** The k best by score, then by index. NaN is the worst. */
function bestIndices(scoreOf: (index: number) => number, classes: number, k: number): Iterable<number> {
  const rank = (index: number) => {
    const score = scoreOf(index);
    return Number.isNaN(score) ? Number.NEGATIVE_INFINITY : score;
  };
  const byScore = (left: number, right: number) => {
    const [a, b] = [rank(left), rank(right)];
    return a === b ? left - right : b > a ? 1 : -1;
  };
  if (k > insertUpTo)
    return Uint32Array.from({ length: classes }, (_, index) => index)
      .sort(byScore)
      .subarray(0, k);
  const best: number[] = [];
  for (let index = 0; index < classes; index++) {
    if (best.length === k && byScore(index, best[k - 1] as number) > 0) continue;
    let at = best.length;
    while (at > 0 && byScore(index, best[at - 1] as number) < 0) at--;
    best.splice(at, 0, index);
    if (best.length > k) best.pop();
  }
  return best;
}

function formatClass(score: number, index: number, label: string | undefined): string {
  const value =
    Number.isInteger(score) || !Number.isFinite(score) ? String(score) : String(Number(score.toPrecision(8)));
  return label === undefined || label === "" ? `${value}:${index}` : `${value}:${index}:${label}`;
}

function scoresOf(tensor: Tensor): { length: number; score: (index: number) => number } {
  if (tensor.datatype === "BYTES") {
    throw new AimassError("INVALID_ARGUMENT", `Output ${quoted(tensor.name)} is BYTES, which has no best classes.`, {
      reason: "BAD_CLASSIFICATION",
      field: tensor.name,
      remedy: "Ask for classification of an output of numbers.",
    });
  }
  const elements = elementsOf(tensor.datatype, tensor.bytes);
  const { length } = elements;
  const at = (index: number) => Number(elements[index]);
  if (tensor.datatype === "FP16") return { length, score: (index) => fromFp16(at(index)) };
  if (tensor.datatype === "BF16") return { length, score: (index) => fromBf16(at(index)) };
  return { length, score: at };
}
