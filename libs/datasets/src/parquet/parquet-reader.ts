import { type Batch, ColumnBuilder, type ColumnData } from "../batch.ts";
import { badFile } from "../cells/bad-cell.ts";
import { MissingTokens } from "../cells/cell-values.ts";
import { roundedDigits, textForDigits } from "../cells/lost-digits.ts";
import type { BatchOptions, FileSchema, FormatReader, ReaderContext } from "../format-reader.ts";
import { elementColumns, listSpread, nothingFit, tooLong, unfitLeftOut, withSources } from "../list-columns.ts";
import { collectStatistics } from "../profile/batch-statistics.ts";
import { type Inference, inferenceOf } from "../profile/inference.ts";
import { indexLeftOut } from "../row-name-columns.ts";
import { saidColumns } from "../said-columns.ts";
import {
  type ColumnSchema,
  type ColumnType,
  checkColumns,
  type DatasetSchema,
  quote,
  selectColumns,
} from "../schema.ts";
import { ChunkPages, InexactCell, UnfitColumn } from "./chunk-pages.ts";
import { ColumnFeed, type Feed } from "./column-feed.ts";
import { ListFeed, listLength } from "./list-feed.ts";
import { type ColumnChunk, openParquet, type ParquetColumn, type ParquetFile, type RowGroup } from "./parquet-file.ts";
import type { ListLevels } from "./top-columns.ts";

const inferenceBatchRows = 8192;
/** Wide tables are looked at in batches of fewer rows: of at most about so many cells. */
const mostCells = 4 * 1024 * 1024;
const fewestRows = 64;

/** Apache Parquet, flat columns and lists of numbers, which are read as a column for each: page by page, so that memory does not grow with row groups. */
export class ParquetReader implements FormatReader {
  readonly #context: ReaderContext;

  constructor(context: ReaderContext) {
    this.#context = context;
  }

  /** The schema as the footer and the first list of every column of lists tell it, without reading the data. */
  async schema(signal: AbortSignal | undefined): Promise<FileSchema> {
    const parquet = await openParquet(this.#context.file, this.#context.limits, signal);
    const known = await this.#known(parquet, signal);
    return { schema: this.#schemaOf(parquet, known), found: namesOf(parquet) };
  }

  /**
   * Columns of numbers of which one would lose digits are text, as in every other format, and columns that hold what no model takes are left out. That is seen
   * when they are read, which then begins anew.
   */
  async infer(signal: AbortSignal | undefined): Promise<Inference> {
    const parquet = await openParquet(this.#context.file, this.#context.limits, signal);
    const known = await this.#known(parquet, signal);
    for (;;) {
      const schema = this.#schemaOf(parquet, known);
      try {
        const batchRows = Math.max(
          fewestRows,
          Math.min(inferenceBatchRows, Math.floor(mostCells / schema.columns.length)),
        );
        const { columns, rows } = await collectStatistics(
          schema,
          this.#read(parquet, schema, { batchRows, signal }, known.lengths),
          (name) => this.#context.dates.get(name) ?? (this.#context.types.has(name) ? "text" : "unknown"),
        );
        const inference = inferenceOf(withSources(columns, schema), rows, { ...schema, found: namesOf(parquet) });
        const leftOut = [...this.#leftOut(parquet)].map(indexLeftOut);
        const unfit = [...known.unfit].filter(([name]) => this.#context.choice.wants(name));
        const notes = [
          ...unfit.map(([name, what]) => unfitLeftOut(name, what)),
          ...[...known.lengths].map(([name, length]) => listSpread(name, length)),
          ...leftOut,
          ...known.texts.values(),
          ...roundedColumns(parquet, schema),
        ];
        return { ...inference, warnings: [...notes, ...inference.warnings] };
      } catch (error) {
        this.#learn(known, error);
      }
    }
  }

  async *batches(schema: DatasetSchema, options: BatchOptions): AsyncGenerator<Batch> {
    yield* this.#read(await openParquet(this.#context.file, this.#context.limits, options.signal), schema, options);
  }

  /** Takes in why a pass was given up, or throws it again. */
  #learn(known: Known, error: unknown): void {
    const { types } = this.#context;
    if (error instanceof InexactCell && !types.has(error.cell.column)) {
      const { column, text, row } = error.cell;
      known.texts.set(column, textForDigits(column, text, row));
    } else if (error instanceof UnfitColumn && !types.has(error.column)) {
      known.unfit.set(error.column, error.what);
      known.lengths.delete(error.column);
    } else throw error;
  }

  async #known(parquet: ParquetFile, signal: AbortSignal | undefined): Promise<Known> {
    const { limits, choice } = this.#context;
    const unfit = new Map(parquet.unfit.map(({ name, what }) => [name, what]));
    const lengths = new Map<string, number>();
    let width = parquet.columns.length;
    for (const column of parquet.columns) {
      if (column.unfit !== undefined) unfit.set(column.name, column.unfit);
      if (column.levels === undefined || column.unfit !== undefined || !choice.wants(column.name)) continue;
      const length = await this.#listLength(parquet, column, signal);
      if (length === undefined) unfit.set(column.name, "holds lists without a number");
      else if (width + length > limits.columns) unfit.set(column.name, tooLong(length, limits));
      else {
        lengths.set(column.name, length);
        width += length;
      }
    }
    return { texts: new Map(), unfit, lengths };
  }

  async #listLength(
    { groups, columns }: ParquetFile,
    column: ParquetColumn,
    signal: AbortSignal | undefined,
  ): Promise<number | undefined> {
    for (const group of groups) {
      const options = { ...this.#context, column, wanted: "number", signal } as const;
      const pages = new ChunkPages(options, group.chunks[columns.indexOf(column)] as ColumnChunk, 0, group.rows);
      try {
        const length = await listLength(pages, column.levels as ListLevels);
        if (length !== undefined) return length;
      } finally {
        await pages.close();
      }
    }
    return undefined;
  }

  #leftOut({ index }: ParquetFile): ReadonlySet<string> {
    const { keepsIndex } = saidColumns(this.#context);
    return new Set([...index].filter((name) => !keepsIndex(name)));
  }

  #schemaOf(parquet: ParquetFile, { texts, unfit, lengths }: Known): DatasetSchema {
    const { missing, types, choice } = this.#context;
    const index = this.#leftOut(parquet);
    const typeOf = ({ name, conversion }: ParquetColumn) => {
      const said = types.get(name);
      if (said === "number" && conversion.former !== undefined) throw noNumbers(name);
      return texts.has(name) ? "string" : (said ?? conversion.type);
    };
    const taken = new Set(namesOf(parquet));
    const columns = parquet.columns
      .filter(({ name }) => choice.wants(name) && !index.has(name) && !unfit.has(name))
      .flatMap((column): ColumnSchema[] => {
        const length = lengths.get(column.name);
        if (length === undefined) return [{ name: column.name, type: typeOf(column) }];
        return elementColumns(column.name, length, taken);
      });
    if (columns.length === 0) {
      choice.check(namesOf(parquet));
      throw nothingFit([...unfit]);
    }
    const isPartial = columns.length < parquet.columns.length || unfit.size > 0;
    return { columns, ...(missing === undefined ? {} : { missing }), ...(isPartial && { partial: true }) };
  }

  /** `lengths`: how many numbers the lists of a column must have, where that is not known of the file. */
  async *#read(
    parquet: ParquetFile,
    schema: DatasetSchema,
    options: BatchOptions,
    lengths: ReadonlyMap<string, number> = new Map(),
  ): AsyncGenerator<Batch> {
    checkColumns(
      schema,
      parquet.columns.map((column) => column.name),
    );
    const wanted = selectColumns(schema, options.columns);
    const batch = new BatchUnderWay(wanted, options.batchRows, schema.missing ?? []);
    let firstRow = 0;
    for (const group of parquet.groups) {
      const feeds = this.#feeds(parquet, group, { wanted, lengths }, firstRow, options.signal);
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
    { wanted, lengths }: { wanted: readonly ColumnSchema[]; lengths: ReadonlyMap<string, number> },
    firstRow: number,
    signal: AbortSignal | undefined,
  ): Feed[] {
    const places = new Map(columns.map((column, index) => [column.name, index]));
    const pagesOf = (name: string, type: ColumnType) => {
      const index = places.get(name) as number;
      const options = { ...this.#context, column: columns[index] as ParquetColumn, wanted: type, signal };
      return new ChunkPages(options, group.chunks[index] as ColumnChunk, firstRow, group.rows);
    };
    const lists = new Map<string, Map<number, number>>();
    const feeds: Feed[] = [];
    for (const [builder, { name, type, source, element }] of wanted.entries()) {
      if (element === undefined || source === undefined) feeds.push(new ColumnFeed(pagesOf(name, type), builder));
      else lists.set(source, (lists.get(source) ?? new Map()).set(element, builder));
    }
    for (const [name, builders] of lists) {
      const { levels } = columns[places.get(name) as number] as ParquetColumn;
      if (levels === undefined) throw badFile(`Column ${quote(name)} of the file holds no lists.`, "Push it anew.");
      feeds.push(new ListFeed(pagesOf(name, "number"), { name, levels, length: lengths.get(name), builders }));
    }
    return feeds;
  }
}

/** What is found out about columns while a file is read. */
interface Known {
  /** What is said of columns that are text for the sake of their digits. */
  readonly texts: Map<string, string>;
  /** What columns hold that are left out. */
  readonly unfit: Map<string, string>;
  /** Numbers of each list, by column. */
  readonly lengths: Map<string, number>;
}

/** Times of day as numbers would be of one unit in this file and of another in the next. */
function noNumbers(name: string): Error {
  return badFile(
    `Column ${quote(name)} holds times of day, and is declared as numbers.`,
    "Leave the type out to have texts such as 14:22:00, or write a number of seconds.",
  );
}

function namesOf({ columns, unfit }: ParquetFile): string[] {
  return [...columns, ...unfit].map(({ name }) => name);
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
  async fill(feeds: readonly Feed[], left: number): Promise<number> {
    if (this.rows === 0) this.#builders = this.#wanted.map(({ type }) => new ColumnBuilder(type, this.#batchRows));
    const rows = Math.min(left, this.#batchRows - this.rows);
    for (const feed of feeds) await feed.take(this.rows, rows, this.#builders);
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
