import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { AimassError } from "@aimass/core";
import type { InferenceSession } from "onnxruntime-node";
import { adaptBfloat16 } from "../bfloat16.ts";
import { assertSafeBundle, assertSafeReferences } from "../external-data.ts";
import { GraphBuilder } from "../graph-builder.ts";
import { graphFileName, readModel, writeModel } from "../model-file.ts";
import { type DeclaredSignature, declaredSignature, type Signature, type TensorSpec } from "../signature.ts";
import { cleanRuntimeMessage } from "./clean-message.ts";
import type { ProbeResult } from "./messages.ts";
import { loadRuntime, quietSession, type Runtime } from "./runtime.ts";
import { Trial, type TrialResult } from "./trial-run.ts";

/**
 * Inspects, loads and tries a bundle in this process, which the file may take down: only for the disposable one.
 * Throws INVALID_ARGUMENT for what no runtime or protocol could serve.
 */
export async function inspectBundle(directory: string): Promise<ProbeResult> {
  const { declared, source } = await prepare(directory);
  const runtime = await loadRuntime();
  await settle(runtime);
  const before = residentBytes();
  const session = await load(runtime, source);
  const signature = withInferredShapes(declared, session);
  const trial = await new Trial(runtime, session, signature).run();
  const memoryBytes = Math.max(0, residentBytes() - before);
  return {
    signature: finalSignature(signature, declared, trial, memoryBytes),
    memoryBytes,
    ran: trial.ran,
    notes: trial.notes,
  };
}

/** What is needed of the file once it is read: the parsed model is let go, so that its memory is not taken for the session's. */
async function prepare(directory: string): Promise<{ declared: DeclaredSignature; source: string | Uint8Array }> {
  const path = join(directory, graphFileName);
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes === undefined) await assertSafeBundle(directory);
  const model = readModel(bytes ?? new Uint8Array());
  await assertSafeReferences(directory, model);
  const adapted = adaptBfloat16(model);
  return { declared: declaredSignature(model), source: adapted === undefined ? path : writeModel(adapted.model) };
}

/** A first session, so that what the runtime takes for itself does not count as the model's. */
async function settle(runtime: Runtime): Promise<void> {
  const graph = new GraphBuilder("settle");
  graph.output(graph.node("Identity", [graph.input("x", "FP32", [1])], {}, { outputs: ["y"] }), "FP32", [1]);
  const session = await runtime.InferenceSession.create(graph.toBytes(), quietSession);
  await session.run({ x: new runtime.Tensor("float32", new Float32Array(1), [1]) });
  await session.release();
}

async function load(runtime: Runtime, source: string | Uint8Array): Promise<InferenceSession> {
  try {
    return await runtime.InferenceSession.create(source as string, quietSession);
  } catch (error) {
    const reason = cleanRuntimeMessage((error as Error).message);
    throw new AimassError("INVALID_ARGUMENT", `ONNX Runtime refuses the model: ${reason}`, {
      reason: "REFUSED_BY_RUNTIME",
      field: graphFileName,
      remedy: "Export it with operators and an operator set that ONNX Runtime's CPU provider has.",
    });
  }
}

/** Shapes the file leaves out, as the runtime inferred them. */
function withInferredShapes({ signature, shapeless }: DeclaredSignature, session: InferenceSession): Signature {
  const inferred = new Map([...session.inputMetadata, ...session.outputMetadata].map((value) => [value.name, value]));
  const complete = (spec: TensorSpec): TensorSpec => {
    const value = inferred.get(spec.name);
    if (!shapeless.has(spec.name) || value === undefined || !value.isTensor) return spec;
    return {
      ...spec,
      shape: value.shape.map((axis) => (typeof axis === "number" && axis >= 0 ? BigInt(axis) : -1n)),
      axisNames: value.shape.map((axis) => (typeof axis === "string" ? axis : "")),
    };
  };
  return { ...signature, inputs: signature.inputs.map(complete), outputs: signature.outputs.map(complete) };
}

/** Where a file says less or something else than what came out, what came out is believed: a contradicted axis is dynamic. */
function finalSignature(
  signature: Signature,
  { shapeless }: DeclaredSignature,
  trial: TrialResult,
  memoryBytes: number,
): Signature {
  const outputs = signature.outputs.map((spec) => {
    const actual = trial.shapes.get(spec.name);
    if (actual === undefined) return spec;
    if (actual.length !== spec.shape.length) {
      return { ...spec, shape: actual.map(() => -1n), axisNames: actual.map(() => "") };
    }
    if (shapeless.has(spec.name)) return spec;
    const shape = spec.shape.map((axis, index) =>
      axis >= 0n && axis !== BigInt(actual[index] as number) ? -1n : axis,
    );
    return { ...spec, shape };
  });
  return { ...signature, outputs, batchable: trial.batchable, memoryBytes: BigInt(memoryBytes) };
}

function residentBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage.rss();
}
