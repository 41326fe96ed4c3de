import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BatchingBasis } from "@aimass/api/registry";
import type { InferenceSession } from "onnxruntime-node";
import { analyseRows, type RowVerdict } from "../batching/row-analysis.ts";
import { assertSafeBundle, assertSafeReferences } from "../external-data.ts";
import { GraphBuilder } from "../graph-builder.ts";
import { loadableGraph } from "../loadable-graph.ts";
import { graphFileName, readModel, writeModel } from "../model-file.ts";
import type { ServedModel } from "../served/served-model.ts";
import {
  type Batching,
  type DeclaredSignature,
  declaredSignature,
  type Signature,
  stampOf,
  type TensorSpec,
} from "../signature.ts";
import { type ListedValues, listedValues } from "./listed-values.ts";
import type { ProbeResult } from "./messages.ts";
import { loadRuntime, quietSession, type Runtime } from "./runtime.ts";
import { runtimeRefusal, type Stamp } from "./runtime-refusal.ts";
import { assertNoTraining, changedByOthers, randomOperator } from "./state.ts";
import { Trial, type TrialResult } from "./trial-run.ts";

/**
 * Inspects, loads and tries a bundle in this process, which the file may take down: only for the disposable one.
 * Throws INVALID_ARGUMENT for what no runtime or protocol could serve.
 */
export async function inspectBundle(directory: string): Promise<ProbeResult> {
  const { labels, adaptations, declared, source, verdict, listed, random } = await prepare(directory);
  const runtime = await loadRuntime();
  await settle(runtime);
  const before = residentBytes();
  const session = await load(runtime, source, declared.signature);
  const signature = withInferredShapes(declared, session);
  const trial = await new Trial(runtime, session, signature, listed).run(verdict.proven);
  if (trial.changedOutput !== undefined && random === undefined) throw changedByOthers(trial.changedOutput);
  const memoryBytes = Math.max(0, residentBytes() - before);
  const batching = batchingOf(verdict, trial);
  return {
    signature: {
      ...withLabels(finalSignature(signature, declared, trial), labels),
      memoryBytes: BigInt(memoryBytes),
      batchable: batching.basis === BatchingBasis.PROVEN,
      batching,
      adaptations: [...adaptations],
    },
    memoryBytes,
    ran: trial.ran,
    notes: [
      ...trial.notes,
      ...(random === undefined ? [] : [`${random} draws random numbers: the same input may be answered differently.`]),
      ...(batching.basis === BatchingBasis.PROVEN ? [] : [`Not batched: ${batching.reason}`]),
    ],
  };
}

/** Proof first; trial runs only take away. */
function batchingOf(verdict: RowVerdict, { whyNotBatched }: TrialResult): Batching {
  if (!verdict.proven) return { basis: BatchingBasis.GRAPH, reason: verdict.reason };
  if (whyNotBatched === undefined) return { basis: BatchingBasis.PROVEN, reason: verdict.reason };
  return { basis: BatchingBasis.TRIAL, reason: `In trial runs ${whyNotBatched}` };
}

interface Prepared {
  readonly labels: ServedModel["labels"];
  readonly adaptations: ServedModel["adaptations"];
  /** Of the served graph, with the versions of the file. */
  readonly declared: DeclaredSignature;
  readonly source: string | Uint8Array;
  readonly verdict: RowVerdict;
  readonly listed: ReadonlyMap<string, ListedValues>;
  /** An operator that draws random numbers. */
  readonly random: string | undefined;
}

/** What is needed of the file once it is read: the parsed model is let go, so that its memory is not taken for the session's. */
async function prepare(directory: string): Promise<Prepared> {
  const path = join(directory, graphFileName);
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes === undefined) await assertSafeBundle(directory);
  const model = readModel(bytes ?? new Uint8Array());
  await assertSafeReferences(directory, model);
  const { served, model: loaded, isDerived } = loadableGraph(model);
  assertNoTraining(served.model);
  const { labels, adaptations } = served;
  const declared = declaredSignature(served.model);
  return {
    labels,
    adaptations,
    declared: { ...declared, signature: { ...declared.signature, ...stampOf(model) } },
    source: isDerived ? writeModel(loaded) : path,
    verdict: analyseRows(served.model),
    listed: served.model.graph === undefined ? new Map() : listedValues(served.model.graph),
    random: randomOperator(served.model),
  };
}

/** A first session, so that what the runtime takes for itself does not count as the model's. */
async function settle(runtime: Runtime): Promise<void> {
  const graph = new GraphBuilder("settle");
  graph.output(graph.node("Identity", [graph.input("x", "FP32", [1])], {}, { outputs: ["y"] }), "FP32", [1]);
  const session = await runtime.InferenceSession.create(graph.toBytes(), quietSession);
  await session.run({ x: new runtime.Tensor("float32", new Float32Array(1), [1]) });
  await session.release();
}

async function load(runtime: Runtime, source: string | Uint8Array, stamp: Stamp): Promise<InferenceSession> {
  try {
    return await runtime.InferenceSession.create(source as string, quietSession);
  } catch (error) {
    throw runtimeRefusal((error as Error).message, stamp);
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

/** Where a file says less or something else than what came out, what came out is believed: an axis that any run contradicts is dynamic. */
function finalSignature(signature: Signature, { shapeless }: DeclaredSignature, { shapes }: TrialResult): Signature {
  const outputs = signature.outputs.map((spec) => {
    const seen = shapes.get(spec.name);
    const first = seen?.[0];
    if (seen === undefined || first === undefined) return spec;
    if (seen.some((lengths) => lengths.length !== spec.shape.length)) {
      return { ...spec, shape: first.map(() => -1n), axisNames: first.map(() => "") };
    }
    if (shapeless.has(spec.name)) return spec;
    const shape = spec.shape.map((axis, index) =>
      axis >= 0n && seen.some((lengths) => axis !== BigInt(lengths[index] as number)) ? -1n : axis,
    );
    return { ...spec, shape };
  });
  return { ...signature, outputs };
}

/** Labels of outputs whose last axis is the classes. */
function withLabels(signature: Signature, labels: ReadonlyMap<string, readonly string[]>): Signature {
  const outputs = signature.outputs.map((spec) => {
    const names = labels.get(spec.name);
    return names !== undefined && spec.shape.at(-1) === BigInt(names.length) ? { ...spec, labels: [...names] } : spec;
  });
  return { ...signature, outputs };
}

function residentBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage.rss();
}
