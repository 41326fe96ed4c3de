import type { TensorSpec } from "../signature.ts";
import type { ListedValues } from "./listed-values.ts";
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
  /** Values the graph lists are taken where there are some. */
  readonly listed?: boolean;
}

/** What a row is made of: values of an ordinary size; 0, 1 and the largest; numbers a thousand times as large; or the largest integers alone. */
export type RowKind = "plain" | "edges" | "outlier" | "largest";

/** Styles in the order they are tried. */
export const trialStyles: readonly TrialStyle[] = [
  { axisLength: 1, largestInteger: 1, listed: true },
  { axisLength: 1, largestInteger: 1 },
  { axisLength: 1, largestInteger: 0 },
  { axisLength: 4, largestInteger: 1, listed: true },
  { axisLength: 4, largestInteger: 1 },
  { axisLength: 16, largestInteger: 3 },
  { axisLength: 64, largestInteger: 1 },
  { axisLength: 224, largestInteger: 1 },
];

/** Elements of one trial input at most; larger ones are not tried. */
export const largestTrial = 1 << 26;

/** Texts of several lengths and scripts, with what texts are parted by, taken in turn; the empty one where edges are tried: some models refuse it. */
const texts = [
  "a b",
  "name.of.things, and more; with-all/kinds_of|marks",
  "hello",
  "1.5",
  "The quick brown fox jumps over the lazy dog.",
  "x",
  "Größe 漢字",
];

/**
 * A seeded generator of numbers from 0 up to 1 (xorshift, 32 bits). The seed is mixed first (the finalizer of MurmurHash3): small seeds, whose bits are mostly 0,
 * would begin with numbers that are all near 0.
 */
export function seededNumbers(seed: number): () => number {
  let state = mixed(seed) || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x100000000;
  };
}

function mixed(seed: number): number {
  let bits = (seed + 0x9e3779b9) | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}

/** Draws rows of inputs, one sample each, all from one generator. */
export class RowDraw {
  private readonly inputs: readonly TensorSpec[];
  private readonly listed: ReadonlyMap<string, ListedValues>;
  private readonly random = seededNumbers(17);
  private taken = -1;

  constructor(inputs: readonly TensorSpec[], listed: ReadonlyMap<string, ListedValues>) {
    this.inputs = inputs;
    this.listed = listed;
  }

  /** One sample for every input: dynamic axes as the style says, axis 0 of length 1 when it is dynamic. Undefined when it would be too large. */
  row(style: TrialStyle, kind: RowKind): TrialTensor[] | undefined {
    const sample = this.inputs.map((spec) => {
      const shape = spec.shape.map((axis, index) => (axis >= 0n ? Number(axis) : index === 0 ? 1 : style.axisLength));
      return { spec, shape };
    });
    if (sample.some(({ shape }) => count(shape) > largestTrial)) return undefined;
    return sample.map(({ spec, shape }) => ({ spec, shape, elements: this.fill(spec, shape, style, kind) }));
  }

  private fill(spec: TensorSpec, shape: readonly number[], style: TrialStyle, kind: RowKind): Elements {
    const length = count(shape);
    const lists = style.listed === true ? this.listed.get(spec.name) : undefined;
    if (lists === undefined) return this.made(spec, length, style, kind);
    const columns = shape.at(-1) ?? 1;
    const pick = (index: number) => {
      const values = lists.columns.get(index % columns) ?? lists.values;
      return values[Math.floor(this.random() * values.length)] as string | bigint;
    };
    if (spec.datatype === "BYTES") return Array.from({ length }, (_, index) => String(pick(index)));
    if (spec.datatype === "INT64") {
      return BigInt64Array.from({ length }, (_, index) => {
        const value = pick(index);
        return typeof value === "bigint" ? value : 0n;
      });
    }
    return this.made(spec, length, style, kind);
  }

  private made(spec: TensorSpec, length: number, style: TrialStyle, kind: RowKind): Elements {
    const { random } = this;
    const scale = kind === "outlier" ? 1000 : 1;
    const float = () => (kind === "edges" ? Math.floor(random() * 3) - 1 : (random() * 2 - 1) * scale);
    const integer = () =>
      kind === "plain"
        ? Math.floor(random() * (style.largestInteger + 1))
        : kind !== "largest" && random() < 0.5
          ? 0
          : style.largestInteger;
    switch (spec.datatype) {
      case "BYTES":
        return Array.from({ length }, () => {
          this.taken += 1;
          return kind === "edges" && this.taken % 2 === 0 ? "" : (texts[this.taken % texts.length] as string);
        });
      case "BOOL":
        return Uint8Array.from({ length }, () => (random() < 0.5 ? 0 : 1));
      case "FP32":
      case "BF16":
        return Float32Array.from({ length }, float);
      case "FP64":
        return Float64Array.from({ length }, float);
      case "FP16":
        // 0x3800 is 0.5, 0x5800 is 128: the bits up to the next power of two run evenly.
        return Uint16Array.from(
          { length },
          () => (kind === "outlier" ? 0x5800 : 0x3800) + Math.floor(random() * 0x400) + (random() < 0.5 ? 0x8000 : 0),
        );
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

export function count(shape: readonly number[]): number {
  return shape.reduce((product, axis) => product * axis, 1);
}
