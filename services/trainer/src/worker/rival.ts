import { join } from "node:path";
import type { Version } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import { decodeImages } from "@aimass/learn";
import { momentsOf, momentsOfInputs } from "../data/column-meanings.ts";
import { type FreshRows, freshRows } from "../data/fresh-rows.ts";
import type { RowSelection } from "../data/row-selection.ts";
import type { TrainingData } from "../data/training-data.ts";
import { firstRows, withoutColumn } from "../evaluation/batches.ts";
import { measure } from "../evaluation/evaluate.ts";
import type { Rival } from "../evaluation/gates.ts";
import { writeModelFiles } from "../evaluation/model-files.ts";
import type { Moments } from "../evaluation/model-inputs.ts";
import { OnnxPredictor } from "../evaluation/onnx-predictor.ts";
import type { JobWork, MadeModel } from "./job-work.ts";

/** A comparison on fewer rows would tell chance. */
const fewestRows = 30;

/**
 * Measures what an alias points to and the made model on held-out rows that neither learnt from, both by their graphs, so that equal models are equal.
 * Undefined when there is no such version.
 */
export async function rivalOf(
  work: JobWork,
  data: TrainingData,
  made: MadeModel,
  alias: string,
): Promise<Rival | undefined> {
  const { library, spec, report, signal } = work;
  const version = await library.version(spec.project, spec.model, alias, signal);
  if (version === undefined) {
    // The first model of an alias has none to compare with; of another alias it may be a slip.
    if (alias !== spec.alias)
      report.warn(`There is no @${alias} to compare with: gates against it let the model pass.`);
    return undefined;
  }
  try {
    return await measured(work, data, made, { version, alias });
  } catch (error) {
    const cannotCompare =
      error instanceof AimassError && ["FAILED_PRECONDITION", "INVALID_ARGUMENT"].includes(error.code);
    if (!cannotCompare) throw error;
    report.log(`Version ${version.version} (@${alias}) is compared by its recorded metrics: ${error.message}`);
    return { version: version.version, metrics: version.metrics };
  }
}

async function measured(
  work: JobWork,
  data: TrainingData,
  made: MadeModel,
  { version, alias }: { version: Version; alias: string },
): Promise<Rival> {
  const { report, directory, signal } = work;
  const name = `@${alias} (version ${version.version})`;
  const known = new Set(data.facts.read.schema.columns.map((column) => column.name));
  const scored = version.signature?.outputs.find(({ labels }) => labels.length > 0)?.labels;
  const path = await writeModelFiles(await filesOf(work, version), join(directory, `version-${version.version}`));
  const theirMoments = momentsOfInputs(version.signature?.inputs ?? []);
  await using predictor = await open(work, data, path, { scored, moments: theirMoments });
  const isNamed = predictor.inputs.every((input) => known.has(input));
  const columns = [...new Set([...(isNamed ? predictor.inputs : data.features), data.target])];
  const latency = { latency_ms: (await latencyOf(predictor, data, work, columns)).p95 };
  const fresh = await freshRows(work, data, version.lineage);
  const rows = selectionOf(fresh);
  if (rows === undefined) {
    report.warn(`${name} cannot be compared with: train with the split that it had (${splitOf(version)}).`);
    return { version: version.version, metrics: latency, incomparable: whyNot(fresh, data) };
  }
  if (fresh.kind === "some")
    report.log(`${name} is compared on the ${fresh.rows} held-out rows that are new to it, too.`);
  if (fresh.kind === "unknown") report.warn(`${name} may know some of the held-out rows: ${fresh.why}.`);
  const theirs = await measure(data, predictor, rows, { signal, columns });
  const ownPath = await writeModelFiles(made.files, join(directory, "made"));
  await using own = await open(work, data, ownPath, {
    scored: made.classes.length > 0 ? made.classes : undefined,
    moments: momentsOf(data.profiles),
  });
  const ours = await measure(data, own, rows, { signal });
  return { version: version.version, metrics: { ...theirs.metrics, ...latency }, own: ours.metrics };
}

function selectionOf(fresh: FreshRows): RowSelection | undefined {
  if (fresh.kind !== "some") return { part: "test" };
  return fresh.rows < fewestRows ? undefined : { mask: fresh.mask };
}

function whyNot(fresh: FreshRows, data: TrainingData): string {
  const left = fresh.kind === "some" ? fresh.rows : 0;
  return `it learnt from all but ${left} of the ${data.rows.test} held-out rows, and ${fewestRows} that are new to both are needed`;
}

/** The seed and the shares, as a person would give them. */
function splitOf({ lineage }: Version): string {
  const { seed = 0, shares = {} } = JSON.parse(lineage?.split ?? "{}").spec ?? {};
  const share = (part: string) => Number(Number(shares[part] ?? 0).toPrecision(6));
  const validation = share("validation") > 0 ? ` --validation ${share("validation")}` : "";
  return `--seed ${seed} --test-share ${share("test")}${validation}`;
}

async function filesOf({ library, signal }: JobWork, version: Version): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const { path, sha256 } of version.files) files.set(path, await allOf(library.read(sha256, signal)));
  return files;
}

async function allOf(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

function open(
  { threads }: JobWork,
  data: TrainingData,
  path: string,
  { scored, moments }: { scored: readonly string[] | undefined; moments: Moments },
): Promise<OnnxPredictor> {
  return OnnxPredictor.open(path, {
    columns: data.features,
    threads,
    moments,
    ...(data.labels !== undefined && { classes: data.labels }),
    ...(scored !== undefined && { scored }),
  });
}

/** Milliseconds that one row takes. */
export async function latencyOf(
  predictor: OnnxPredictor,
  data: TrainingData,
  { signal }: JobWork,
  columns?: readonly string[],
): Promise<{ p50: number; p95: number }> {
  for await (const batch of data.batches({ part: "test" }, { signal, ...(columns && { columns }) })) {
    const rows = firstRows(await decodeImages(batch, signal), 32);
    return predictor.latency(withoutColumn(rows, data.target));
  }
  return { p50: 0, p95: 0 };
}
