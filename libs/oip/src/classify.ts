import { AimassError } from "@aimass/core";
import { bytesFromElements } from "./bytes-elements.ts";
import { elementCount, quoted } from "./datatype.ts";
import { fromBf16, fromFp16 } from "./half.ts";
import { elementsOf, type Tensor } from "./tensor.ts";

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
  const scores = scoresOf(tensor);
  const samples = batched ? (tensor.shape[0] ?? 1) : 1;
  const classes = batched ? elementCount(tensor.shape.slice(1), tensor.name) : scores.length;
  const best = Math.min(k, classes);
  const elements: string[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const base = sample * classes;
    for (const index of bestIndices(scores, base, classes, best)) {
      elements.push(formatClass(scores[base + index] as number, index, labels[index]));
    }
  }
  const shape = batched ? [samples, best] : [best];
  return { name: tensor.name, datatype: "BYTES", shape, bytes: bytesFromElements(elements) };
}

function bestIndices(scores: readonly number[], base: number, classes: number, k: number): number[] {
  const order = Array.from({ length: classes }, (_, index) => index);
  const score = (index: number) => {
    const value = scores[base + index] as number;
    return Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
  };
  order.sort((left, right) => (score(right) === score(left) ? left - right : score(right) > score(left) ? 1 : -1));
  return order.slice(0, k);
}

function formatClass(score: number, index: number, label: string | undefined): string {
  const value =
    Number.isInteger(score) || !Number.isFinite(score) ? String(score) : String(Number(score.toPrecision(8)));
  return label === undefined || label === "" ? `${value}:${index}` : `${value}:${index}:${label}`;
}

function scoresOf(tensor: Tensor): number[] {
  if (tensor.datatype === "BYTES") {
    throw new AimassError("INVALID_ARGUMENT", `Output ${quoted(tensor.name)} is BYTES, which has no best classes.`, {
      reason: "BAD_CLASSIFICATION",
      field: tensor.name,
      remedy: "Ask for classification of an output of numbers.",
    });
  }
  const elements = elementsOf(tensor.datatype, tensor.bytes);
  if (tensor.datatype === "FP16") return Array.from(elements as Uint16Array, fromFp16);
  if (tensor.datatype === "BF16") return Array.from(elements as Uint16Array, fromBf16);
  return Array.from(elements as ArrayLike<number | bigint>, Number);
}
