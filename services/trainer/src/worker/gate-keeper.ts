import { join } from "node:path";
import { momentsOf } from "../data/column-meanings.ts";
import type { TrainingData } from "../data/training-data.ts";
import { gatesOf, judge, type Rival, readGate, type Verdict } from "../evaluation/gates.ts";
import { writeModelFiles } from "../evaluation/model-files.ts";
import { OnnxPredictor } from "../evaluation/onnx-predictor.ts";
import type { JobWork, MadeModel } from "./job-work.ts";
import { latencyOf, rivalOf } from "./rival.ts";

/** What the gates say of a made model. */
export interface GateVerdict {
  readonly passed: boolean;
  /** Of the first gate that did not pass; empty when all did. */
  readonly reason: string;
}

/** Milliseconds that one row takes, as `Job.metrics` tells it: the 95th percentile. Runs the model that was made, whatever made it. */
export async function measureLatency(work: JobWork, data: TrainingData, made: MadeModel): Promise<number> {
  const path = await writeModelFiles(made.files, join(work.directory, "made"));
  await using predictor = await OnnxPredictor.open(path, {
    columns: data.features,
    moments: momentsOf(data.profiles),
  });
  const { p50, p95 } = await latencyOf(predictor, data, work);
  work.report.log(`One row takes ${rounded(p50)} ms (median), ${rounded(p95)} ms (95th percentile) on this trainer.`);
  return p95;
}

/** Judges every gate of the spec; with the versions that gates compare with as `rivalOf` measures them. */
export async function judgeGates(
  work: JobWork,
  data: TrainingData,
  made: MadeModel,
  metrics: Readonly<Record<string, number>>,
): Promise<GateVerdict> {
  const rivals = new Map<string, Rival | undefined>();
  let first: Verdict | undefined;
  for (const [message, field] of gatesOf(work.spec)) {
    const gate = readGate(message, field, data.task);
    const alias = gate.betterThan;
    if (alias !== undefined && !rivals.has(alias)) rivals.set(alias, await rivalOf(work, data, made, alias));
    const rival = alias === undefined ? undefined : rivals.get(alias);
    const own = { ...rival?.own, ...latencyIn(metrics) };
    const verdict = judge(gate, metrics, rival?.own === undefined ? rival : { ...rival, own });
    work.report.log(`Gate ${verdict.passed ? "passed" : "not passed"}: ${verdict.reason}.`);
    if (!verdict.passed) first ??= verdict;
  }
  return { passed: first === undefined, reason: first?.reason ?? "" };
}

function latencyIn({ latency_ms }: Readonly<Record<string, number>>): Record<string, number> {
  return latency_ms === undefined ? {} : { latency_ms };
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(3)));
}
