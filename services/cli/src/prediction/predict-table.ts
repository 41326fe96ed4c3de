import { AimassError, type Clock } from "@aimass/core";
import type { Connection } from "../client/connection.ts";
import type { ModelAddress, RestMetadata } from "../client/rest-inference.ts";
import { inOrder } from "./in-order.ts";
import { PredictionColumns } from "./prediction-columns.ts";
import type { Progress, ResultSink } from "./result-file.ts";
import { RowCaller, type RowResult } from "./row-caller.ts";
import { chunksOf, type RowChunk } from "./row-chunks.ts";
import type { RowEncoder } from "./row-encoder.ts";
import type { RowFormat } from "./row-format.ts";
import type { TableFile } from "./table-file.ts";

/** A table, who predicts it, and how results are written. */
export interface TablePrediction {
  readonly connection: Connection;
  readonly at: ModelAddress;
  readonly metadata: RestMetadata;
  readonly table: TableFile;
  readonly encoder: RowEncoder;
  readonly format: RowFormat;
  /** Whether the columns of the input are written before those of the predictions. */
  readonly withInput: boolean;
  readonly sink: ResultSink;
  /** Whether refused rows are written down and passed over, instead of ending it. */
  readonly skipErrors: boolean;
  readonly chunkRows: number;
  /** As `RowCallerOptions` has it. */
  readonly fixedRows: number | undefined;
  readonly chunksAtOnce: number;
  readonly patienceMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
  /** Told of each refused row that is passed over. */
  readonly onRefused: (error: AimassError) => void;
}

/** Predicts every row of a table, in order, in memory that does not grow with it. Errors: INVALID_ARGUMENT naming the row that is refused; those of the mesh. */
export async function predictTable(prediction: TablePrediction): Promise<Progress> {
  const { table, encoder, sink, metadata, chunkRows, chunksAtOnce, onProgress } = prediction;
  const failed = new AbortController();
  const caller = new RowCaller({
    ...prediction,
    exact: metadata.outputs.some(({ datatype }) => datatype === "INT64" || datatype === "UINT64"),
    stopAtRefusal: !prediction.skipErrors,
    signal: AbortSignal.any([prediction.signal, failed.signal]),
  });
  const writing = new Writing(prediction);
  const chunks = chunksOf(table, encoder, { rows: chunkRows, skip: writing.progress.rows });
  try {
    for await (const { chunk, results } of inOrder(chunks, chunksAtOnce, async (chunk) => {
      try {
        return { chunk, results: await caller.call(chunk.rows) };
      } catch (error) {
        // At once: what else is under way is waited for, and may try again for minutes.
        failed.abort();
        throw error;
      }
    })) {
      const { lines, errors, stop } = writing.take(chunk, results);
      await sink.write(lines, errors, writing.progress);
      if (stop !== undefined) {
        failed.abort();
        throw stop;
      }
      onProgress(writing.progress);
    }
  } finally {
    failed.abort();
  }
  return writing.progress;
}

/** Turns results into lines, and counts them. */
class Writing {
  progress: Progress;
  readonly #prediction: TablePrediction;
  #columns: PredictionColumns | undefined;

  constructor(prediction: TablePrediction) {
    this.#prediction = prediction;
    this.progress = prediction.sink.before ?? { rows: 0, refused: 0, columns: undefined, versions: {} };
    if (this.progress.columns !== undefined) this.#columns = new PredictionColumns(this.progress.columns);
  }

  /** The lines of a chunk's results; `stop`: why no other row may follow. */
  take(
    chunk: RowChunk,
    results: readonly RowResult[],
  ): { readonly lines: string; readonly errors: string; readonly stop?: AimassError } {
    const lines: string[] = [];
    const errors: string[] = [];
    const versions: Record<string, number> = { ...this.progress.versions };
    let { rows, refused } = this.progress;
    let stop: AimassError | undefined;
    for (const [index, result] of results.entries()) {
      if (result.kind === "predicted") {
        lines.push(this.#line(chunk.cells(index), result));
        versions[result.answer.version] = (versions[result.answer.version] ?? 0) + 1;
      } else {
        const error = atRow(result.error, chunk.firstRow + index + 1);
        if (!this.#prediction.skipErrors) {
          stop = error;
          break;
        }
        errors.push(this.#errorLine(chunk, index, error));
        this.#prediction.onRefused(error);
        refused++;
      }
      rows++;
    }
    this.progress = { rows, refused, columns: this.#columns?.outputs, versions };
    return { lines: lines.join(""), errors: errors.join(""), ...(stop !== undefined && { stop }) };
  }

  #line(cells: readonly (string | undefined)[], { entry, answer }: RowResult & { kind: "predicted" }): string {
    const { format, metadata, table, withInput } = this.#prediction;
    let header = "";
    if (this.#columns === undefined) {
      const taken = withInput ? table.schema.columns.map(({ name }) => name) : [];
      this.#columns = PredictionColumns.of(entry, answer, metadata, taken);
      header = format.header(this.#columns.names);
    }
    return header + format.row(withInput ? cells : [], this.#columns.names, this.#columns.values(entry));
  }

  /** The row that was refused, with its number and why, as a line of JSON. */
  #errorLine(chunk: RowChunk, index: number, error: AimassError): string {
    const names = this.#prediction.table.schema.columns.map(({ name }) => name);
    const cells = chunk.cells(index).map((text, place) => [names[place], text ?? null]);
    const line = { row: chunk.firstRow + index + 1, error: error.message, cells: Object.fromEntries(cells) };
    return `${JSON.stringify(line)}\n`;
  }
}

/** A refusal of the only row of a request as one of a row of the file, from 1. */
function atRow({ code, message, reason }: AimassError, row: number): AimassError {
  const first = /\b([Rr])ow 1\b/;
  const text = first.test(message) ? message.replace(first, `$1ow ${row}`) : `Row ${row}: ${message}`;
  return new AimassError(code, text, {
    ...(reason !== undefined && { reason }),
    field: `rows[${row}]`,
    remedy: "With --skip-errors such rows are passed over and kept in a file of their own.",
  });
}
