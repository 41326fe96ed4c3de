import { type Batch, ColumnBuilder, type ColumnData } from "../batch.ts";
import { MissingTokens } from "../cells/cell-values.ts";
import { roundedDigits, textForDigits } from "../cells/lost-digits.ts";
import type { BatchOptions, FormatReader, ReaderContext } from "../format-reader.ts";
import { collectStatistics } from "../profile/batch-statistics.ts";
import { type Inference, inferenceOf } from "../profile/inference.ts";
import { indexLeftOut } from "../row-name-columns.ts";
import { type ColumnSchema, checkColumns, type DatasetSchema, selectColumns } from "../schema.ts";
import { ColumnFeed, InexactCell } from "./column-feed.ts";
import { openParquet, type ParquetColumn, type ParquetFile, type RowGroup } from "./parquet-file.ts";

const inferenceBatchRows = 8192;

/** Apache Parquet, flat columns: page by page, so that memory does not grow with row groups. */
export class ParquetReader implements FormatReader {
  readonly #context: ReaderContext;

  constructor(context: ReaderContext) {
    this.#context = context;
  }

  /** The schema as the footer tells it, without reading the data. */
  async schema(signal: AbortSignal | undefined): Promise<DatasetSchema> {
    return this.#schemaOf(await openParquet(this.#context.file, this.#context.limits, signal), new Map());
  }

  /** Columns of numbers of which one would lose digits are text, as in every other format. That is seen when they are read, which then begins anew. */
  async infer(signal: AbortSignal | undefined): Promise<Inference> {
    const parquet = await openParquet(this.#context.file, this.#context.limits, signal);
    const texts = new Map<string, string>();
    for (;;) {
      const schema = this.#schemaOf(parquet, texts);
      try {
        const batches = this.#read(parquet, schema, { batchRows: inferenceBatchRows, signal });
        const { columns, rows } = await collectStatistics(schema, batches);
        const inference = inferenceOf(columns, rows, schema);
        const leftOut = [...this.#leftOut(parquet)].map(indexLeftOut);
        const notes = [...leftOut, ...texts.values(), ...roundedColumns(parquet, schema)];
        return { ...inference, warnings: [...notes, ...inference.warnings] };
      } catch (error) {
        if (!(error instanceof InexactCell) || this.#context.types.has(error.cell.column)) throw error;
        const { column, text, row } = error.cell;
        texts.set(column, textForDigits(column, text, row));
      }
    }
  }

  async *batches(schema: DatasetSchema, options: BatchOptions): AsyncGenerator<Batch> {
    yield* this.#read(await openParquet(this.#context.file, this.#context.limits, options.signal), schema, options);
  }

  #leftOut({ index }: ParquetFile): ReadonlySet<string> {
    const { keepIndex, types } = this.#context;
    return new Set(keepIndex ? [] : [...index].filter((name) => !types.has(name)));
  }

  #schemaOf(parquet: ParquetFile, texts: ReadonlyMap<string, string>): DatasetSchema {
    const { missing, types } = this.#context;
    const leftOut = this.#leftOut(parquet);
    const typeOf = ({ name, conversion }: ParquetColumn) =>
      texts.has(name) ? "string" : (types.get(name) ?? conversion.type);
    return {
      columns: parquet.columns
        .filter(({ name }) => !leftOut.has(name))
        .map((column) => ({ name: column.name, type: typeOf(column) })),
      ...(missing === undefined ? {} : { missing }),
    };
  }

  async *#read(parquet: ParquetFile, schema: DatasetSchema, options: BatchOptions): AsyncGenerator<Batch> {
    checkColumns(
      schema,
      parquet.columns.map((column) => column.name),
    );
    const wanted = selectColumns(schema, options.columns);
    const batch = new BatchUnderWay(wanted, options.batchRows, schema.missing ?? []);
    let firstRow = 0;
    for (const group of parquet.groups) {
      const feeds = this.#feeds(parquet, group, wanted, firstRow, options.signal);
      try {
        for (let left = group.rows; left > 0; ) {
          left -= await batch.fill(feeds, left);
          if (batch.full) yield batch.finish();
        }
      } finally {
        for (const feed of feeds) await feed.close();
      }
      firstRow += group.rows;
    }
    if (batch.rows > 0) yield batch.finish();
  }

  #feeds(
    { columns }: ParquetFile,
    group: RowGroup,
    wanted: readonly ColumnSchema[],
    firstRow: number,
    signal: AbortSignal | undefined,
  ): ColumnFeed[] {
    return wanted.map(({ name, type }) => {
      const index = columns.findIndex((column) => column.name === name);
      const options = { ...this.#context, column: columns[index] as ParquetColumn, wanted: type, signal };
      return new ColumnFeed(options, group.chunks[index] as RowGroup["chunks"][number], firstRow, group.rows);
    });
  }
}

function roundedColumns({ columns }: ParquetFile, schema: DatasetSchema): string[] {
  const numbers = new Set(schema.columns.filter(({ type }) => type === "number").map(({ name }) => name));
  return columns.flatMap(({ name, conversion }) => {
    const text = numbers.has(name) ? conversion.rounded?.() : undefined;
    return text === undefined ? [] : [roundedDigits(name, text)];
  });
}

/** A batch that is filled column by column, across row groups. */
class BatchUnderWay {
  rows = 0;
  readonly #wanted: readonly ColumnSchema[];
  readonly #batchRows: number;
  readonly #missing: readonly MissingTokens[];
  #builders: readonly ColumnBuilder[] = [];
  #firstRow = 0;

  constructor(wanted: readonly ColumnSchema[], batchRows: number, missing: readonly string[]) {
    this.#wanted = wanted;
    this.#batchRows = batchRows;
    this.#missing = wanted.map((column) => new MissingTokens(missing, column.missing));
  }

  get full(): boolean {
    return this.rows === this.#batchRows;
  }

  /** Takes in at most `left` rows; says how many. */
  async fill(feeds: readonly ColumnFeed[], left: number): Promise<number> {
    if (this.rows === 0) this.#builders = this.#wanted.map(({ type }) => new ColumnBuilder(type, this.#batchRows));
    const rows = Math.min(left, this.#batchRows - this.rows);
    for (const [index, feed] of feeds.entries()) {
      await feed.take(this.#builders[index] as ColumnBuilder, this.rows, rows);
    }
    this.rows += rows;
    return rows;
  }

  finish(): Batch {
    const columns = new Map<string, ColumnData>();
    for (const [index, { name }] of this.#wanted.entries()) {
      const values = (this.#builders[index] as ColumnBuilder).finish(this.rows);
      columns.set(name, withoutMissing(values, this.#missing[index] as MissingTokens));
    }
    const batch = { rows: this.rows, firstRow: this.#firstRow, columns };
    this.#firstRow += this.rows;
    this.rows = 0;
    return batch;
  }
}

/** Takes away values that the schema calls missing. */
function withoutMissing(column: ColumnData, missing: MissingTokens): ColumnData {
  if (column.type === "number" && missing.numeric) {
    return { type: "number", values: column.values.map((value) => (missing.hasNumber(value) ? Number.NaN : value)) };
  }
  if (column.type !== "string") return column;
  return { type: "string", values: column.values.map((v) => (v !== undefined && missing.has(v) ? undefined : v)) };
}
