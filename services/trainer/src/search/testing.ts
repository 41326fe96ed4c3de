import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ColumnType, DatasetFormat, DatasetVersionSchema } from "@aimass/api/registry";
import { type EvaluationReportSchema, type JobSpec, JobSpecSchema } from "@aimass/api/trainer";
import { systemClock } from "@aimass/core";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { RegistryLibrary } from "../library/registry-library.ts";
import type { JobWork } from "../worker/job-work.ts";

/** What a job told. */
export interface Told {
  readonly lines: string[];
  readonly warnings: string[];
  readonly points: { name: string; step: number; value: number }[];
  readonly progress: { fraction: number; doing: string; step: number | undefined }[];
  readonly reports: MessageInitShape<typeof EvaluationReportSchema>[];
  readonly checkpoints: Uint8Array[];
}

export interface SmallJob extends AsyncDisposable {
  readonly work: JobWork;
  readonly told: Told;
}

export interface SmallJobOptions {
  readonly csv: string;
  readonly spec: MessageInitShape<typeof JobSpecSchema>;
  readonly checkpoint?: Uint8Array;
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

/** A job over a table, with a folder of its own and a library that has the table alone. Columns whose first value is a number are numbers. */
export async function smallJob(options: SmallJobOptions): Promise<SmallJob> {
  const directory = await mkdtemp(join(tmpdir(), "aimass-search-"));
  const told: Told = { lines: [], warnings: [], points: [], progress: [], reports: [], checkpoints: [] };
  const bytes = Buffer.from(options.csv);
  const [header = "", first = ""] = options.csv.split("\n");
  const names = header.split(",");
  const library: Pick<RegistryLibrary, "read"> = {
    async *read() {
      yield bytes;
    },
  };
  const spec: JobSpec = create(JobSpecSchema, {
    testShare: 0.2,
    seed: 7n,
    project: "default",
    model: "m",
    ...options.spec,
  });
  if (spec.features.length === 0) spec.features = names.filter((name) => name !== spec.target);
  const dataset = create(DatasetVersionSchema, {
    dataset: "table",
    version: 1n,
    format: DatasetFormat.CSV,
    rows: BigInt(options.csv.trimEnd().split("\n").length - 1),
    columns: names.map((name, i) => ({ name, type: typeOf(first.split(",")[i] ?? "") })),
  });
  const work: JobWork = {
    jobId: "job",
    spec,
    dataset,
    // Only `read` is asked of it by a training.
    library: library as RegistryLibrary,
    report: {
      progress: (fraction, doing, step) => void told.progress.push({ fraction, doing, step: step?.step }),
      log: (line) => void told.lines.push(line),
      warn: (sentence) => void told.warnings.push(sentence),
      metric: (name, step, value) => void told.points.push({ name, step, value }),
      evaluated: (report) => void told.reports.push(report),
      checkpoint: (state) => void told.checkpoints.push(state),
    },
    checkpoint: options.checkpoint,
    directory,
    threads: options.threads ?? 2,
    memoryBytes: 2 ** 30,
    clock: systemClock,
    signal: options.signal ?? new AbortController().signal,
  };
  return { work, told, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}

function typeOf(cell: string): ColumnType {
  return cell !== "" && Number.isFinite(Number(cell)) ? ColumnType.NUMBER : ColumnType.STRING;
}

/** Numbers in a circle are "in", others "out"; one category says a little too. */
export function ringCsv(rows: number): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const x = Math.sin(i * 12.9898) * 2;
    const y = Math.sin(i * 78.233 + 1) * 2;
    const isIn = x * x + y * y + 0.3 * Math.sin(i * 3.1) < 2;
    return `${x.toFixed(4)},${y.toFixed(4)},${i % 5 === 0 ? "red" : "blue"},${isIn ? "in" : "out"}`;
  });
  return `x,y,colour,side\n${lines.join("\n")}\n`;
}

/** y = 3a − 2b with some noise, and ten columns that say nothing. */
export function planeCsv(rows: number): string {
  const noise = Array.from({ length: 10 }, (_, k) => `n${k}`);
  const lines = Array.from({ length: rows }, (_, i) => {
    const a = Math.sin(i * 12.9898);
    const b = Math.sin(i * 78.233 + 1);
    const others = noise.map((_, k) => Math.sin(i * (5.1 + 3 * k) + k).toFixed(4));
    return [a.toFixed(4), b.toFixed(4), ...others, (3 * a - 2 * b + 0.3 * Math.sin(i * 3.1)).toFixed(4)].join(",");
  });
  return `a,b,${noise.join(",")},y\n${lines.join("\n")}\n`;
}
