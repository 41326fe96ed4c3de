import { join } from "node:path";
import type { Version } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import { decodeImages } from "@aimass/learn";
import type { TrainingData } from "../data/training-data.ts";
import { firstRows } from "../evaluation/batches.ts";
import { measure } from "../evaluation/evaluate.ts";
import { gatesOf, judge, type Rival, readGate, type Verdict } from "../evaluation/gates.ts";
import { writeModelFiles } from "../evaluation/model-files.ts";
import { OnnxPredictor } from "../evaluation/onnx-predictor.ts";
import type { JobWork, MadeModel } from "./job-work.ts";

/** What the gates say of a made model. */
export interface GateVerdict {
  readonly passed: boolean;
  /** Of the first gate that did not pass; empty when all did. */
  readonly reason: string;
}

/** Milliseconds that one row takes, as `Job.metrics` tells it: the 95th percentile. Runs the model that was made, whatever made it. */
export async function measureLatency(work: JobWork, data: TrainingData, made: MadeModel): Promise<number> {
  const path = await writeModelFiles(made.files, join(work.directory, "made"));
  await using predictor = await OnnxPredictor.open(path, { columns: work.spec.features });
  const { p50, p95 } = await latencyOf(predictor, data, work);
  work.report.log(`One row takes ${rounded(p50)} ms (median), ${rounded(p95)} ms (95th percentile) on this trainer.`);
  return p95;
}

/** Judges every gate of the spec. A version that a gate compares with is measured on the same held-out rows where it takes the dataset's columns. */
export async function judgeGates(
  work: JobWork,
  data: TrainingData,
  metrics: Readonly<Record<string, number>>,
): Promise<GateVerdict> {
  const rivals = new Map<string, Rival | undefined>();
  let first: Verdict | undefined;
  for (const [message, field] of gatesOf(work.spec)) {
    const gate = readGate(message, field, data.task);
    const alias = gate.betterThan;
    if (alias !== undefined && !rivals.has(alias)) rivals.set(alias, await rivalOf(work, data, alias));
    const verdict = judge(gate, metrics, alias === undefined ? undefined : rivals.get(alias));
    work.report.log(`Gate ${verdict.passed ? "passed" : "not passed"}: ${verdict.reason}.`);
    if (!verdict.passed) first ??= verdict;
  }
  return { passed: first === undefined, reason: first?.reason ?? "" };
}

async function rivalOf(work: JobWork, data: TrainingData, alias: string): Promise<Rival | undefined> {
  const { library, spec, report, signal } = work;
  const version = await library.version(spec.project, spec.model, alias, signal);
  if (version === undefined) {
    // The first model of an alias has none to compare with; of another alias it may be a slip.
    if (alias !== spec.alias)
      report.warn(`There is no @${alias} to compare with: gates against it let the model pass.`);
    return undefined;
  }
  try {
    return { version: version.version, metrics: await measureVersion(work, data, version) };
  } catch (error) {
    const cannotCompare =
      error instanceof AimassError && ["FAILED_PRECONDITION", "INVALID_ARGUMENT"].includes(error.code);
    if (!cannotCompare) throw error;
    report.log(`Version ${version.version} (@${alias}) is compared by its recorded metrics: ${error.message}`);
    return { version: version.version, metrics: version.metrics };
  }
}

async function measureVersion(work: JobWork, data: TrainingData, version: Version): Promise<Record<string, number>> {
  const { library, spec, signal, directory, threads } = work;
  const files = new Map<string, Uint8Array>();
  for (const { path, sha256 } of version.files) files.set(path, await allOf(library.read(sha256, signal)));
  const path = await writeModelFiles(files, join(directory, `version-${version.version}`));
  const scored = version.signature?.outputs.find(({ labels }) => labels.length > 0)?.labels;
  await using predictor = await OnnxPredictor.open(path, {
    columns: spec.features,
    threads,
    ...(data.labels !== undefined && { classes: data.labels }),
    ...(scored !== undefined && { scored }),
  });
  const known = new Set(data.facts.read.schema.columns.map(({ name }) => name));
  const isNamed = predictor.inputs.every((name) => known.has(name));
  const columns = [...new Set([...(isNamed ? predictor.inputs : spec.features), data.target])];
  const { metrics } = await measure(data, predictor, { part: "test" }, { signal, columns });
  return { ...metrics, latency_ms: (await latencyOf(predictor, data, work, columns)).p95 };
}

async function latencyOf(
  predictor: OnnxPredictor,
  data: TrainingData,
  { signal }: JobWork,
  columns?: readonly string[],
): Promise<{ p50: number; p95: number }> {
  for await (const batch of data.batches({ part: "test" }, { signal, ...(columns && { columns }) })) {
    return predictor.latency(firstRows(await decodeImages(batch, signal), 32));
  }
  return { p50: 0, p95: 0 };
}

async function allOf(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(3)));
}
