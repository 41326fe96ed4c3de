import { createHash } from "node:crypto";
import {
  bytesFromElements,
  bytesOf,
  type Datatype,
  type ElementArray,
  elementsOf,
  type Tensor,
  toFp16,
} from "@aimass/oip";
import type { ServingPlan, TensorPlan } from "./serving-plan.ts";

/**
 * Inputs for warming and parity: the same for the same signature everywhere. Dynamic axes are 1, the batch axis `rows`; numbers are small, whole numbers are 0 or 1
 * (so that an index stays inside), strings are short. With `zeros`, all is zero.
 */
export function probeInputs(plan: ServingPlan, rows: number, zeros = false): Tensor[] {
  const random = seededRandom(plan.inputs.map((i) => `${i.name} ${i.datatype} ${i.shape}`).join("\n"));
  return plan.inputs
    .filter((input) => !input.optional)
    .map((input) => probeInput(input, plan.batchable ? rows : undefined, zeros ? () => 0 : random));
}

function probeInput(spec: TensorPlan, rows: number | undefined, random: () => number): Tensor {
  const shape = spec.shape.map((n, axis) => (axis === 0 && rows !== undefined ? rows : n < 0 ? 1 : n));
  const count = shape.reduce((product, n) => product * n, 1);
  const { name, datatype } = spec;
  if (datatype === "BYTES") {
    const texts = Array.from({ length: count }, () => `probe ${Math.floor(random() * 10)}`);
    return { name, datatype, shape, bytes: bytesFromElements(texts) };
  }
  return { name, datatype, shape, bytes: bytesOf(probeNumbers(datatype, count, random)) };
}

function probeNumbers(datatype: Exclude<Datatype, "BYTES">, count: number, random: () => number): ElementArray {
  const size = {
    BOOL: 1,
    UINT8: 1,
    INT8: 1,
    UINT16: 2,
    INT16: 2,
    FP16: 2,
    BF16: 2,
    UINT32: 4,
    INT32: 4,
    FP32: 4,
    UINT64: 8,
    INT64: 8,
    FP64: 8,
  }[datatype];
  const elements = elementsOf(datatype, new Uint8Array(count * size));
  for (let i = 0; i < count; i += 1) {
    const share = random();
    if (datatype === "FP32" || datatype === "FP64") elements[i] = share;
    else if (datatype === "FP16") elements[i] = toFp16(share);
    else if (elements instanceof BigInt64Array || elements instanceof BigUint64Array)
      elements[i] = BigInt(Math.round(share));
    else if (datatype !== "BF16") elements[i] = Math.round(share);
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
