import { createWriteStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { ReadOptionsSchema } from "@aimass/api/registry";
import { AimassError, systemClock } from "@aimass/core";
import { type DatasetFormat, missingWords } from "@aimass/datasets";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { VersionName } from "../client/class-scores.ts";
import type { Connection } from "../client/connection.ts";
import { knownNumbers } from "../client/known-columns.ts";
import { modelMetadata } from "../client/rest-inference.ts";
import { modelName } from "../output/format.ts";
import type { Output } from "../output/output.ts";
import { predictTable } from "./predict-table.ts";
import { type Progress, ResultFile, type ResultSink } from "./result-file.ts";
import { ResultStream } from "./result-stream.ts";
import { RowEncoder } from "./row-encoder.ts";
import { type ResultFormat, resultFormat, rowFormat } from "./row-format.ts";
import { TableColumn } from "./table-column.ts";
import { openTable, type TableFile } from "./table-file.ts";

/** What is to be predicted, and where it goes. */
export interface FilePrediction {
  readonly connection: Connection;
  readonly output: Output;
  readonly version: VersionName;
  /** "-": standard input. */
  readonly file: string;
  readonly fileFormat?: DatasetFormat;
  readonly read: MessageInitShape<typeof ReadOptionsSchema>;
  /** Undefined: standard output. */
  readonly to?: string;
  readonly format?: ResultFormat;
  readonly onlyPredictions: boolean;
  readonly skipErrors: boolean;
  readonly resume: boolean;
  readonly chunkRows: number;
  readonly chunksAtOnce: number;
  readonly patienceMs: number;
  readonly signal: AbortSignal;
}

/** What became of a file. */
export interface FilePredicted extends Progress {
  readonly errorsPath: string | undefined;
}

/** Predicts every row of a file and writes it with its predictions. Errors: as `openTable`, `predictTable` and `ResultFile.open`. */
export async function predictFile(o: FilePrediction): Promise<FilePredicted> {
  const { connection, output, version, signal } = o;
  const at = { model: modelName(version.project, version.model), version: version.version };
  const metadata = await modelMetadata(connection, at);
  await assertElsewhere(o);
  const isShown = o.to !== undefined || !process.stdout.isTTY;
  const progressOf = (label: string) => (isShown ? output.progress(label) : () => {});
  const reading = progressOf("reading");
  await using table = await openTable(o.file, {
    format: o.fileFormat,
    read: o.read,
    usualNumbers: await knownNumbers(connection, version),
    keepOddCells: o.skipErrors,
    signal,
    onShare: (share) => reading(Math.min(share, 0.99)),
  });
  reading(1);
  const numeric = new Set(metadata.inputs.filter(({ datatype }) => datatype !== "BYTES").map(({ name }) => name));
  const writing = {
    ...table.schema,
    missing: table.schema.missing ?? missingWords(table.format, [], false),
    isMissingNamed: (o.read.missing ?? []).length > 0 || (o.read.onlyMissing ?? false),
  };
  const columns = table.schema.columns.map(
    (column) => new TableColumn(column, writing, { isNumeric: numeric.has(column.name) }),
  );
  const encoder = new RowEncoder(columns, metadata);
  sayColumns(output, encoder);
  const format = o.format ?? resultFormat(o.to, table.format);
  await using sink = await openSink(o, taskOf(o, table, format));
  if (sink.before !== undefined) output.say(`Going on after row ${sink.before.rows}.`);
  const bar = progressOf("predicting");
  const fixedRows = fixedBatch(metadata.inputs);
  const done = await predictTable({
    ...{ connection, at, metadata, table, encoder, sink, signal, clock: systemClock },
    format: rowFormat(format, o.onlyPredictions ? [] : columns),
    withInput: !o.onlyPredictions,
    skipErrors: o.skipErrors,
    // A model of a fixed batch, or of single values, takes no other.
    ...{ chunkRows: fixedRows ?? o.chunkRows, fixedRows },
    ...{ chunksAtOnce: o.chunksAtOnce, patienceMs: o.patienceMs },
    onProgress: ({ rows }) => bar(Math.min(table.share(), 0.99), `${rows} rows`),
    onRefused: (error) => {
      if (sink.errorsPath === undefined) output.say(error.message);
    },
  }).catch((error: unknown) => {
    sayWhatIsKept(o, sink);
    throw error;
  });
  await sink.finish();
  bar(1, `${done.rows} rows`);
  return { ...done, errorsPath: done.refused > 0 ? sink.errorsPath : undefined };
}

/** What is done is not lost where it is in a file, and the file read is there for another run. */
function sayWhatIsKept({ output, file }: FilePrediction, { partialPath }: ResultSink): void {
  output.settle();
  if (partialPath === undefined || file === "-") return;
  output.hint(`What is done is in ${partialPath}. Next: the same command with --resume`);
}

function fixedBatch(inputs: readonly { readonly shape: readonly number[] }[]): number | undefined {
  return inputs.map(({ shape }) => shape[0] ?? 1).find((axis) => axis > 0);
}

function sayColumns(output: Output, { absent, unused }: RowEncoder): void {
  const listed = (names: readonly string[]) => `${names.slice(0, 10).join(", ")}${names.length > 10 ? " …" : ""}`;
  if (absent.length > 0) output.say(`Inputs without a column in the file, left empty: ${listed(absent)}.`);
  if (unused.length > 0) output.say(`Columns that are no inputs of the model: ${listed(unused)}.`);
}

/** What makes two runs the same, so that one can go on where the other ended. */
function taskOf(o: FilePrediction, table: TableFile, format: ResultFormat): string {
  const { version, file, read, onlyPredictions } = o;
  const columns = table.schema.columns.map(({ name }) => name);
  return JSON.stringify({ version, file: resolve(file), ...table.identity, read, format, onlyPredictions, columns });
}

async function openSink(o: FilePrediction, task: string): Promise<ResultSink> {
  const { to } = o;
  const info = to === undefined ? undefined : await stat(to).catch(() => undefined);
  if (info?.isDirectory())
    throw new AimassError("INVALID_ARGUMENT", `${to} is a folder.`, { remedy: "Name a file in it." });
  const isDevice = info !== undefined && !info.isFile();
  if (o.resume && (to === undefined || isDevice || o.file === "-"))
    throw new AimassError("INVALID_ARGUMENT", "--resume needs a file to read and a file to write.", {
      remedy: "Name both: aimass predict MODEL rows.csv -o out.csv --resume.",
    });
  if (to === undefined) return new ResultStream(process.stdout, "Standard output");
  if (isDevice) return new ResultStream(createWriteStream(to), to);
  return await ResultFile.open(to, { task, resume: o.resume });
}

async function assertElsewhere({ file, to }: FilePrediction): Promise<void> {
  if (to === undefined || file === "-") return;
  const real = (path: string) => realpath(path).catch(() => undefined);
  const from = await real(file);
  for (const written of ResultFile.filesOf(to)) {
    if (from === undefined || (await real(written)) !== from) continue;
    const message = `${written} is the file that is read${written === to ? "" : `, and one that ${to} is made of`}.`;
    throw new AimassError("INVALID_ARGUMENT", message, { remedy: "Name another with -o." });
  }
}
