import { AimassError } from "@aimass/core";
import { type ColumnMetaData, type FileMetaData, parquetMetadata, type SchemaElement } from "hyparquet";
import { durationColumns } from "../arrow/kept-schema.ts";
import { badFile } from "../cells/bad-cell.ts";
import type { DataFile } from "../data-file.ts";
import { type Limits, overLimit } from "../limits.ts";
import { isPandasIndex, pandasIndex } from "../row-name-columns.ts";
import { quote } from "../schema.ts";
import { refusePacked } from "../seeking-format.ts";
import type { Conversion } from "./conversion.ts";
import { type ListLevels, topColumns } from "./top-columns.ts";

/** One column of a Parquet file. */
export interface ParquetColumn {
  readonly name: string;
  readonly element: SchemaElement;
  readonly optional: boolean;
  readonly conversion: Conversion;
  /** Of a column of lists of numbers. */
  readonly levels?: ListLevels;
  /** What it holds that no model takes, though versions from before have it; ends a sentence. */
  readonly unfit?: string | undefined;
  /** Which chunk of a row group it is. */
  readonly chunk: number;
}

/** A column that no model takes; `what` ends a sentence about it. */
export interface UnfitKind {
  readonly name: string;
  readonly what: string;
}

/** The bytes of one column in one row group. */
export interface ColumnChunk {
  readonly meta: ColumnMetaData;
  readonly start: number;
  readonly end: number;
}

export interface RowGroup {
  readonly rows: number;
  /** In the order of the columns. */
  readonly chunks: readonly ColumnChunk[];
}

/** What a Parquet file's footer says, checked. */
export interface ParquetFile {
  readonly columns: readonly ParquetColumn[];
  readonly unfit: readonly UnfitKind[];
  readonly groups: readonly RowGroup[];
  /** Columns that only name rows. */
  readonly index: ReadonlySet<string>;
}

const tail = 8;
const remedy = "Write the file anew, for instance with pyarrow.parquet.write_table.";

/** Reads and checks the footer. */
export async function openParquet(
  file: DataFile,
  limits: Limits,
  signal: AbortSignal | undefined,
): Promise<ParquetFile> {
  const metadata = await readFooter(file, limits, signal);
  try {
    const { columns, unfit, chunks } = columnsOf(metadata, limits);
    const groups = groupsOf(metadata, { columns, chunks }, file.sizeBytes, limits);
    return { columns, unfit, groups, index: indexOf(metadata, columns) };
  } catch (error) {
    throw damaged(error, "The Parquet footer is damaged");
  }
}

/** Lets refusals and cancellation pass; makes a refusal of everything else. */
export function damaged(error: unknown, what: string): unknown {
  if (error instanceof AimassError || (error instanceof Error && error.name === "AbortError")) return error;
  const why = error instanceof Error && error.constructor === Error ? `: ${error.message}` : "";
  return badFile(`${what}${why}.`, remedy, error);
}

async function readFooter(file: DataFile, limits: Limits, signal: AbortSignal | undefined): Promise<FileMetaData> {
  await refusePacked(file, "parquet", signal);
  const size = file.sizeBytes;
  const last = Buffer.from(await file.read(Math.max(0, size - tail), tail, signal));
  const magic = last.toString("latin1", 4);
  if (magic === "PARE") throw badFile("The Parquet file is encrypted.", "Write it without encryption.");
  if (size < 12 || magic !== "PAR1") throw badFile("This is no Parquet file: it does not end with PAR1.", remedy);
  const length = last.readUInt32LE(0);
  if (length > size - tail - 4) throw badFile("The Parquet footer is longer than the file.", remedy);
  if (length > limits.parquetFooterBytes) {
    throw overLimit("parquetFooterBytes", limits, `The Parquet footer has ${length.toLocaleString("en")} bytes`);
  }
  const footer = await file.read(size - tail - length, length + tail, signal);
  try {
    return parquetMetadata(Uint8Array.from(footer), { geoparquet: false });
  } catch (error) {
    throw badFile("The Parquet footer is damaged.", remedy, error);
  }
}

interface Columns {
  readonly columns: readonly ParquetColumn[];
  readonly unfit: readonly UnfitKind[];
  /** Chunks of a row group. */
  readonly chunks: number;
}

function columnsOf(metadata: FileMetaData, limits: Limits): Columns {
  const [root, ...elements] = metadata.schema;
  if (root === undefined || elements.length === 0) throw badFile("The Parquet file has no columns.", remedy);
  if (elements.length > limits.columns) {
    throw overLimit("columns", limits, `The file has ${elements.length.toLocaleString("en")} columns`);
  }
  const top = topColumns(elements);
  const seen = new Set<string>();
  for (const { name } of top) {
    // A damaged footer lacks it altogether.
    if (!name) throw badFile("A column of the Parquet file has no name.", "Name every column.");
    if (seen.has(name))
      throw badFile(`Two columns of the Parquet file are called ${quote(name)}.`, "Rename one of them.");
    seen.add(name);
  }
  const durations = durationColumns(metadata.key_value_metadata?.find(({ key }) => key === "ARROW:schema")?.value);
  const columns = top.flatMap(({ name, chunk, kind }): ParquetColumn[] => {
    if (kind.kind === "other") return [];
    const { element, conversion } = kind;
    const unfit = durations.has(name) ? "holds durations" : undefined;
    if (kind.kind === "list") {
      return [{ name, element, conversion, chunk, optional: true, levels: kind.levels, unfit: unfit ?? kind.unfit }];
    }
    return [{ name, element, conversion, chunk, optional: element.repetition_type !== "REQUIRED", unfit }];
  });
  const unfit = top.flatMap(({ name, kind }) => (kind.kind === "other" ? [{ name, what: kind.what }] : []));
  return { columns, unfit, chunks: top.reduce((sum, { chunks }) => sum + chunks, 0) };
}

/** The columns that pandas says are the index of its table, or that are called as it calls them. A table is never its index alone. */
function indexOf(metadata: FileMetaData, columns: readonly ParquetColumn[]): ReadonlySet<string> {
  const told = new Set(pandasIndex(metadata.key_value_metadata?.find(({ key }) => key === "pandas")?.value));
  const found = columns.map(({ name }) => name).filter((name) => told.has(name) || isPandasIndex(name));
  return new Set(found.length < columns.length ? found : []);
}

function groupsOf(
  metadata: FileMetaData,
  { columns, chunks }: Pick<Columns, "columns" | "chunks">,
  size: number,
  limits: Limits,
): RowGroup[] {
  if (metadata.row_groups.length > limits.parquetRowGroups) {
    throw overLimit(
      "parquetRowGroups",
      limits,
      `The file has ${metadata.row_groups.length.toLocaleString("en")} row groups`,
    );
  }
  if (Number(metadata.num_rows) === 0 && metadata.row_groups.every((group) => Number(group.num_rows) === 0)) {
    throw badFile("The Parquet file has no rows.", "Upload a file with at least one row.");
  }
  let total = 0;
  const groups = metadata.row_groups.map((group, index) => {
    const rows = Number(group.num_rows);
    if (!(rows >= 0)) throw new Error(`row group ${index + 1} has no count of rows`);
    if (rows > limits.parquetGroupRows) {
      throw overLimit("parquetGroupRows", limits, `Row group ${index + 1} has ${rows.toLocaleString("en")} rows`);
    }
    if (group.columns.length !== chunks) throw new Error(`row group ${index + 1} lacks columns`);
    total += rows;
    return { rows, chunks: columns.map((column) => chunkOf(group.columns[column.chunk]?.meta_data, column, size)) };
  });
  if (total !== Number(metadata.num_rows))
    throw new Error(`its row groups have ${total} rows, not ${metadata.num_rows}`);
  if (total > limits.rows) throw overLimit("rows", limits, `The file has ${total.toLocaleString("en")} rows`);
  return groups.filter((group) => group.rows > 0);
}

function chunkOf(meta: ColumnMetaData | undefined, column: ParquetColumn | undefined, size: number): ColumnChunk {
  if (meta === undefined || column === undefined) throw new Error("a column has no description or is encrypted");
  if (meta.type !== column.element.type) throw new Error(`column ${quote(column.name)} has two types`);
  const data = Number(meta.data_page_offset);
  const dictionary = Number(meta.dictionary_page_offset ?? 0);
  const start = dictionary > 0 && dictionary < data ? dictionary : data;
  const end = start + Number(meta.total_compressed_size);
  if (!(start >= 4 && end >= start && end <= size))
    throw new Error(`column ${quote(column.name)} lies outside the file`);
  return { meta, start, end };
}
