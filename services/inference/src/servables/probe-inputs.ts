import { createHash } from "node:crypto";
import {
  bytesFromElements,
  bytesOf,
  type Datatype,
  type ElementArray,
  elementSize,
  elementsOf,
  type Tensor,
  toBf16,
  toFp16,
} from "@aimass/oip";
import type { ServingPlan, TensorPlan } from "./serving-plan.ts";

/** How probe inputs are made. */
export interface ProbeStyle {
  /** Length of dynamic axes but the first. */
  readonly axisLength: number;
  /** All numbers are 0. */
  readonly zeros: boolean;
}

/**
 * Inputs for warming and parity: the same for the same signature everywhere. Axis 0 is `rows` for a batchable model, else 1 where it is dynamic; numbers are small,
 * whole numbers are 0 or 1 (so that an index stays inside), strings are short. The rows of a batch are alike: one is made, and repeated.
 */
export function probeInputs(
  plan: Pick<ServingPlan, "inputs" | "batchable">,
  rows: number,
  style: ProbeStyle,
): Tensor[] {
  const random = seededRandom(plan.inputs.map((i) => `${i.name} ${i.datatype} ${i.shape}`).join("\n"));
  return plan.inputs
    .filter((input) => !input.optional)
    .map((input) => {
      const axis = (size: number, index: number) => {
        if (index === 0 && plan.batchable) return 1;
        return size >= 0 ? size : index === 0 ? 1 : style.axisLength;
      };
      const one = probeInput(input, input.shape.map(axis), style.zeros ? () => 0 : random);
      return plan.batchable && rows > 1 ? repeated(one, rows) : one;
    });
}

function repeated(row: Tensor, rows: number): Tensor {
  const bytes = new Uint8Array(row.bytes.byteLength * rows);
  for (let i = 0; i < rows; i += 1) bytes.set(row.bytes, i * row.bytes.byteLength);
  return { ...row, shape: [rows, ...row.shape.slice(1)], bytes };
}

function probeInput(spec: TensorPlan, shape: readonly number[], random: () => number): Tensor {
  const count = shape.reduce((product, n) => product * n, 1);
  const { name, datatype } = spec;
  if (datatype === "BYTES") {
    const texts = Array.from({ length: count }, () => `probe ${Math.floor(random() * 10)}`);
    return { name, datatype, shape, bytes: bytesFromElements(texts) };
  }
  return { name, datatype, shape, bytes: bytesOf(probeNumbers(datatype, count, random)) };
}

function probeNumbers(datatype: Exclude<Datatype, "BYTES">, count: number, random: () => number): ElementArray {
  const elements = elementsOf(datatype, new Uint8Array(count * elementSize(datatype)));
  for (let i = 0; i < count; i += 1) {
    const share = random();
    if (datatype === "BF16") elements[i] = toBf16(share);
    else if (datatype === "FP32" || datatype === "FP64") elements[i] = share;
    else if (datatype === "FP16") elements[i] = toFp16(share);
    else if (elements instanceof BigInt64Array || elements instanceof BigUint64Array)
      elements[i] = BigInt(Math.round(share));
    else elements[i] = Math.round(share);
  }
  return elements;
}

/** Mulberry32, seeded by text: a small generator whose sequence is the same on every machine. */
function seededRandom(seed: string): () => number {
  let state = createHash("sha256").update(seed).digest().readUInt32LE(0);
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
