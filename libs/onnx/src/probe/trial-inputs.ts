import type { TensorSpec } from "../signature.ts";
import type { Elements } from "./runtime.ts";

/** An input made for a trial run. */
export interface TrialTensor {
  readonly spec: TensorSpec;
  readonly shape: readonly number[];
  readonly elements: Elements;
}

/** How trial inputs are made. Different models refuse different inputs, so several ways are tried. */
export interface TrialStyle {
  /** Length of dynamic axes but the first. */
  readonly axisLength: number;
  /** Integers are drawn from 0 to this; as indices or counts most models take 0 and 1. */
  readonly largestInteger: number;
}

/** Styles in the order they are tried. */
export const trialStyles: readonly TrialStyle[] = [
  { axisLength: 1, largestInteger: 1 },
  { axisLength: 1, largestInteger: 0 },
  { axisLength: 4, largestInteger: 1 },
  { axisLength: 16, largestInteger: 3 },
  { axisLength: 64, largestInteger: 1 },
  { axisLength: 224, largestInteger: 1 },
];

/** Elements of one trial input at most; larger ones are not tried. */
export const largestTrial = 1 << 26;

/** A seeded generator of numbers from 0 up to 1 (xorshift, 32 bits). */
export function seededNumbers(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x100000000;
  };
}

/** One sample for every input: dynamic axes as the style says, axis 0 of length 1 when it is dynamic. */
export function trialSample(inputs: readonly TensorSpec[], style: TrialStyle, seed: number): TrialTensor[] | undefined {
  const random = seededNumbers(seed);
  const sample = inputs.map((spec) => {
    const shape = spec.shape.map((axis, index) => (axis >= 0n ? Number(axis) : index === 0 ? 1 : style.axisLength));
    return { spec, shape };
  });
  if (sample.some(({ shape }) => count(shape) > largestTrial)) return undefined;
  return sample.map(({ spec, shape }) => ({ spec, shape, elements: fill(spec, count(shape), style, random) }));
}

/** Samples side by side along axis 0. */
export function batchOf(samples: readonly (readonly TrialTensor[])[]): TrialTensor[] {
  const [first = []] = samples;
  return first.map(({ spec, shape }, index) => ({
    spec,
    shape: [samples.length, ...shape.slice(1)],
    elements: concat(samples.map((sample) => (sample[index] as TrialTensor).elements)),
  }));
}

function fill(spec: TensorSpec, length: number, style: TrialStyle, random: () => number): Elements {
  const float = () => random() * 2 - 1;
  const integer = () => Math.floor(random() * (style.largestInteger + 1));
  switch (spec.datatype) {
    case "BYTES":
      return Array.from({ length }, () => (random() < 0.5 ? "a b" : "hello"));
    case "BOOL":
      return Uint8Array.from({ length }, () => (random() < 0.5 ? 0 : 1));
    case "FP32":
    case "BF16":
      return Float32Array.from({ length }, float);
    case "FP64":
      return Float64Array.from({ length }, float);
    case "FP16":
      // 0x3800 is 0.5: the bits up to 0x3bff run evenly to 1.
      return Uint16Array.from({ length }, () => 0x3800 + Math.floor(random() * 0x400) + (random() < 0.5 ? 0x8000 : 0));
    case "INT64":
      return BigInt64Array.from({ length }, () => BigInt(integer()));
    case "UINT64":
      return BigUint64Array.from({ length }, () => BigInt(integer()));
    case "INT32":
      return Int32Array.from({ length }, integer);
    case "INT16":
      return Int16Array.from({ length }, integer);
    case "INT8":
      return Int8Array.from({ length }, integer);
    case "UINT32":
      return Uint32Array.from({ length }, integer);
    case "UINT16":
      return Uint16Array.from({ length }, integer);
    default:
      return Uint8Array.from({ length }, integer);
  }
}

function concat(parts: readonly Elements[]): Elements {
  const first = parts[0] as Elements;
  if (Array.isArray(first)) return (parts as string[][]).flat();
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  const joined = new (first.constructor as new (length: number) => typeof first)(total);
  let at = 0;
  for (const part of parts) {
    (joined as Uint8Array).set(part as Uint8Array, at);
    at += part.length;
  }
  return joined;
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, axis) => product * axis, 1);
}

/** How far batched numbers may be from unbatched ones, relative to the larger of 1 and the largest value; 0 means equal. */
export function toleranceOf(spec: TensorSpec): number {
  switch (spec.datatype) {
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
