import type { InferenceSession, Tensor } from "onnxruntime-node";
import type { ElementType } from "../element-types.ts";

/** What this package uses of onnxruntime-node. */
export type Runtime = typeof import("onnxruntime-node");

/**
 * Loads ONNX Runtime so that FP16 works. Its JavaScript half takes Float16Array where there is one, which its native half cannot read
 * ("not enough space: expected 2, got 0"); it looks once, at the first tensor, so Float16Array is out of sight until that is made.
 */
export async function loadRuntime(): Promise<Runtime> {
  const float16 = Object.getOwnPropertyDescriptor(globalThis, "Float16Array");
  if (float16 !== undefined) Reflect.deleteProperty(globalThis, "Float16Array");
  try {
    const runtime = await import("onnxruntime-node");
    new runtime.Tensor("float32", new Float32Array(0), [0]);
    return runtime;
  } finally {
    if (float16 !== undefined) Object.defineProperty(globalThis, "Float16Array", float16);
  }
}

/** The elements of a tensor in memory: numbers in the typed array ONNX Runtime wants (FP16 as bits), or strings. */
export type Elements = NumericElements | string[];

export type NumericElements =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

/** A tensor as ONNX Runtime takes it. */
export function runtimeTensor(
  runtime: Runtime,
  type: ElementType,
  elements: Elements,
  shape: readonly number[],
): Tensor {
  if (type.runtime === undefined) throw new TypeError(`${type.datatype} has no tensor in ONNX Runtime's binding.`);
  return new runtime.Tensor(type.runtime, elements as Tensor.DataType, shape);
}

/** Options of a session that shares the machine: one thread, sequential, nothing on standard error. */
export const quietSession: InferenceSession.SessionOptions = {
  executionProviders: ["cpu"],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: "sequential",
  logSeverityLevel: 4,
};
