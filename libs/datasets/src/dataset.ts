import { AimassError, type DateOrder, datePattern, datePatterns, isSeparator } from "@aimass/core";
import { arrowReader } from "./arrow/arrow-reader.ts";
import type { Batch } from "./batch.ts";
import { ChosenReader } from "./chosen-reader.ts";
import { ColumnChoice, type ColumnChoices, nameInFile } from "./column-choice.ts";
import { type DataFile, localFile } from "./data-file.ts";
import { DatedReader } from "./dated-reader.ts";
import { DelimitedReader } from "./delimited/delimited-reader.ts";
import type { BatchOptions, FormatReader, ReaderContext } from "./format-reader.ts";
import { ImageZipReader, imageSchema } from "./images/image-zip-reader.ts";
import { jsonReader } from "./json/json-reader.ts";
import { JsonLinesReader } from "./json-lines/json-lines-reader.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { ParquetReader } from "./parquet/parquet-reader.ts";
import { collectStatistics } from "./profile/batch-statistics.ts";
import type { Inference } from "./profile/inference.ts";
import { inferenceOf } from "./profile/inference.ts";
import { type ColumnType, checkSchema, type DatasetFormat, type DatasetSchema, listed } from "./schema.ts";
import { XlsxReader } from "./xlsx/xlsx-reader.ts";

export interface DatasetOptions extends ColumnChoices {
  readonly format: DatasetFormat;
  /** A path of this machine, or bytes from elsewhere. */
  readonly file: string | DataFile;
  /** What the columns are. Without it the types are inferred, which reads text formats once from front to back. */
  readonly schema?: DatasetSchema;
  /** Where they differ from `defaultLimits`. */
  readonly limits?: Partial<Limits>;
  /** For inference: all cells that mean "no value"; `defaultMissing` when left out. */
  readonly missing?: readonly string[];
  /** For inference: no column has words of its own that mean "no value", such as "?" among its numbers. */
  readonly onlyMissing?: boolean;
  /** For inference: columns that only name rows stay, such as the index that pandas wrote. */
  readonly keepIndex?: boolean;
  /** For inference: columns, by their names in the file, whose type is not to be inferred. Every cell must then be of it. */
  readonly types?: ReadonlyMap<string, ColumnType>;
  /** For inference: columns of dates, and what comes first in them. Every cell must be one, or a day that no calendar has. */
  readonly dates?: ReadonlyMap<string, DateOrder>;
  /** For inference: what stands between cells of delimited text, one ASCII character. */
  readonly delimiter?: string;
  /** For inference: as in `DatasetSchema`. */
  readonly encoding?: string;
  readonly decimal?: string;
  readonly thousands?: string;
  /** For inference: which sheet of a workbook is read; the first when left out. */
  readonly sheet?: string;
  readonly signal?: AbortSignal;
}

/** A table in a file. Dispose of it to close the file, when `openDataset` opened it. */
export interface Dataset extends AsyncDisposable {
  readonly format: DatasetFormat;
  readonly schema: DatasetSchema;
  /** Reads the table from its beginning, in memory that does not grow with it. May be called again and again, also at the same time. */
  batches(options: BatchOptions): AsyncIterable<Batch>;
}

/** What a pass over a whole dataset found. */
export interface DatasetProfile extends Inference {
  /** The first rows. */
  readonly preview: Batch;
}

/**
 * Opens a dataset of any format. Errors: INVALID_ARGUMENT with row, column, value and what would be right for anything wrong in the file,
 * with reason DATASET_LIMIT for a file that asks for too much; NOT_FOUND.
 */
export async function openDataset(options: DatasetOptions): Promise<Dataset> {
  const opened = await openReader(options);
  try {
    const schema = options.schema ?? (await inferSchema(opened.reader, options));
    checkSchema(schema);
    checkPatterns(schema);
    checkTypes(options, schema);
    return datasetOf(options.format, schema, opened);
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Reads a whole dataset once: its schema, unless one is given, statistics of every column and the first rows.
 * Errors: as `openDataset`; every cell was looked at when it succeeds.
 */
export async function profileDataset(
  options: DatasetOptions & { readonly previewRows?: number },
): Promise<DatasetProfile> {
  await using opened = await openReader(options);
  const { schema, signal } = options;
  if (schema !== undefined) checkPatterns(schema);
  const found = schema === undefined ? await opened.reader.infer(signal) : await measure(opened.reader, schema, signal);
  checkSchema(found.schema);
  checkTypes(options, found.schema);
  return {
    ...found,
    preview: await firstRows(opened.reader, found.schema, { batchRows: options.previewRows ?? 20, signal }),
  };
}

interface OpenedReader extends AsyncDisposable {
  readonly reader: DatedReader;
}

async function openReader(options: DatasetOptions): Promise<OpenedReader> {
  const { format, delimiter, missing } = options;
  for (const one of [delimiter, options.schema?.delimiter]) if (one !== undefined) checkDelimiter(one);
  checkImages(options);
  const given = typeof options.file !== "string";
  const file = typeof options.file === "string" ? await localFile(options.file) : options.file;
  const context = {
    file,
    limits: { ...defaultLimits, ...options.limits },
    missing,
    onlyMissing: options.onlyMissing ?? false,
    keepIndex: options.keepIndex ?? false,
    delimiter,
    encoding: options.encoding,
    decimal: options.decimal,
    thousands: options.thousands,
    sheet: options.sheet,
    types: declaredTypes(options),
    dates: options.dates ?? new Map(),
    choice: new ColumnChoice(options),
  };
  return {
    reader: new DatedReader(new ChosenReader(readerOf(format, context), context.choice), context.dates),
    [Symbol.asyncDispose]: async () => {
      if (!given) await file[Symbol.asyncDispose]();
    },
  };
}

function readerOf(format: DatasetFormat, context: ReaderContext): FormatReader {
  switch (format) {
    case "csv":
      return new DelimitedReader(context, ",");
    case "tsv":
      return new DelimitedReader(context, "\t");
    case "json-lines":
      return new JsonLinesReader(context);
    case "json":
      return jsonReader(context);
    case "xlsx":
      return new XlsxReader(context);
    case "parquet":
      return new ParquetReader(context);
    case "arrow":
      return arrowReader(context);
    case "image-zip":
      return new ImageZipReader(context);
  }
}

function datasetOf(format: DatasetFormat, schema: DatasetSchema, opened: OpenedReader): Dataset {
  return {
    format,
    schema,
    batches: (options) => {
      if (!(Number.isSafeInteger(options.batchRows) && options.batchRows > 0)) {
        throw new AimassError("INVALID_ARGUMENT", `A batch cannot have ${options.batchRows} rows.`, {
          field: "batchRows",
        });
      }
      return opened.reader.batches(schema, options);
    },
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

async function inferSchema(reader: DatedReader, { format, signal }: DatasetOptions): Promise<DatasetSchema> {
  if (format === "image-zip") return imageSchema;
  return await reader.schema(signal);
}

async function measure(
  reader: DatedReader,
  schema: DatasetSchema,
  signal: AbortSignal | undefined,
): Promise<Inference> {
  checkSchema(schema);
  const batches = reader.batches(schema, { batchRows: 1024, signal });
  const { columns, rows } = await collectStatistics(schema, batches, () => "text");
  return { ...inferenceOf(columns, rows, schema), schema };
}

async function firstRows(reader: DatedReader, schema: DatasetSchema, options: BatchOptions): Promise<Batch> {
  for await (const batch of reader.batches(schema, { ...options, batchRows: Math.max(1, options.batchRows) }))
    return batch;
  return { rows: 0, firstRow: 0, columns: new Map() };
}

function checkImages({ types, format }: DatasetOptions): void {
  const image = [...(types ?? [])].find(([, type]) => type === "image")?.[0];
  if (image === undefined || format === "image-zip") return;
  throw new AimassError("INVALID_ARGUMENT", `Column ${listed([image])} cannot hold images.`, {
    field: "types",
    remedy: "Images come as a ZIP file of folders.",
  });
}

/** Dates are strings in the file. */
function declaredTypes({ types, dates }: DatasetOptions): ReadonlyMap<string, ColumnType> {
  const both = [...(dates?.keys() ?? [])].find((name) => types?.has(name));
  if (both !== undefined) {
    throw new AimassError("INVALID_ARGUMENT", `Column ${listed([both])} is declared as dates and as something else.`, {
      field: "dates",
      remedy: "Declare it once.",
    });
  }
  return new Map([...(types ?? []), ...[...(dates?.keys() ?? [])].map((name) => [name, "string"] as const)]);
}

function checkPatterns({ columns }: DatasetSchema): void {
  const odd = columns.find(({ dates }) => dates !== undefined && datePattern(dates) === undefined);
  if (odd === undefined) return;
  throw new AimassError("INVALID_ARGUMENT", `Column ${listed([odd.name])} has dates of no known pattern.`, {
    field: "schema",
    remedy: `Patterns are ${datePatterns.map(({ name }) => name).join("; ")}.`,
  });
}

/** Refuses types of columns that are not there, or cannot be had. */
function checkTypes(options: DatasetOptions, schema: DatasetSchema): void {
  const { format } = options;
  for (const [name, type] of declaredTypes(options)) {
    const column = schema.columns.find((one) => nameInFile(one) === name);
    if (column?.type === type) continue;
    const why =
      column === undefined
        ? `There is no column ${listed([name])}`
        : `Column ${listed([name])} of a ${format} file cannot be declared as ${type}`;
    throw new AimassError("INVALID_ARGUMENT", `${why}.`, {
      field: "types",
      remedy: `The columns are ${listed(schema.columns.map((one) => one.name))}.`,
    });
  }
}

function checkDelimiter(delimiter: string): void {
  if (isSeparator(delimiter)) return;
  throw new AimassError("INVALID_ARGUMENT", `${JSON.stringify(delimiter)} cannot be a delimiter.`, {
    field: "delimiter",
    remedy: "Use one ASCII character, such as a comma, a semicolon or a tab.",
  });
}
