import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ColumnType, type ReadOptionsSchema } from "@aimass/api/registry";
import { AimassError, type DateOrder, signProblem } from "@aimass/core";
import {
  type Batch,
  type DataFile,
  type Dataset,
  type DatasetFormat,
  type DatasetOptions,
  type DatasetSchema,
  detectFormat,
  isEncoding,
  localFile,
  missingWords,
  openDataset,
} from "@aimass/datasets";
import type { MessageInitShape } from "@bufbuild/protobuf";

/** More columns than these with a cell that is not of the others' kind are no slip. */
const mostOddColumns = 1000;

/** How a table is read, and by whom it is watched. */
export interface TableOptions {
  readonly format?: DatasetFormat | undefined;
  readonly read: MessageInitShape<typeof ReadOptionsSchema>;
  /** How CSV writes numbers where `read` does not say it. */
  readonly usualNumbers: { readonly decimal: string; readonly thousands: string };
  /** A column of numbers with a cell that is none is read as texts, instead of being refused. */
  readonly keepOddCells: boolean;
  readonly signal: AbortSignal;
  /** Told the share of the file that was looked at, 0–1, while its columns' types are found. */
  readonly onShare: (share: number) => void;
}

/** A table in a file, its cells as the texts that stand there. Dispose of it to close the file. */
export interface TableFile extends AsyncDisposable {
  readonly format: DatasetFormat;
  /** What the columns look like. */
  readonly schema: DatasetSchema;
  /** The file as it is now, to know it again. */
  readonly identity: { readonly sizeBytes: number; readonly modifiedMs: number };
  batches(batchRows: number): AsyncIterable<Batch>;
  /** Share of the file that was read in this pass, 0–1. */
  share(): number;
}

/** Opens a table of this machine; "-" is standard input, which is kept in a temporary file. Errors: NOT_FOUND, INVALID_ARGUMENT as `openDataset`. */
export async function openTable(path: string, options: TableOptions): Promise<TableFile> {
  await using stack = new AsyncDisposableStack();
  const place = path === "-" ? stack.use(await spooled(process.stdin, options.signal)).path : path;
  const { size, mtimeMs } = await fileAt(place, path);
  assertWriting(options.read);
  const { encoding = "" } = options.read;
  const detection = { signal: options.signal, ...(encoding !== "" && { encoding }) };
  const file = stack.use(new WatchedFile(await localFile(place), options.onShare));
  const format = options.format ?? (await detectFormat(file, detection));
  if (format === "image-zip")
    throw new AimassError("INVALID_ARGUMENT", `${path} is no table.`, {
      remedy: "Name a file of CSV, TSV, JSON, .xlsx, Parquet or Feather; give a picture as --input NAME=@picture.png.",
    });
  const inferred = stack.use(await openInferred({ format, file, ...datasetOptions(format, options) }, options));
  const schema = inferred.schema;
  const texts = stack.use(await openDataset({ format, file, schema: asTexts(schema), signal: options.signal }));
  const closing = stack.move();
  return {
    format,
    schema,
    identity: { sizeBytes: size, modifiedMs: mtimeMs },
    batches: (batchRows) => {
      file.restart();
      return texts.batches({ batchRows, signal: options.signal });
    },
    share: () => file.share,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** Finds the columns' types. A cell that its column does not take would end the file; where such cells are to be met one by one, their columns are texts. */
async function openInferred(o: DatasetOptions, { keepOddCells }: TableOptions): Promise<Dataset> {
  const types = new Map(o.types);
  for (let odd = 0; ; odd++) {
    try {
      return await openDataset({ ...o, types });
    } catch (error) {
      const column = /^rows\[\d+\]\.([\s\S]+)$/.exec((error as AimassError).field ?? "")?.[1];
      const isOdd = error instanceof AimassError && error.reason === "BAD_CELL" && column !== undefined;
      if (!keepOddCells || !isOdd || types.has(column) || odd >= mostOddColumns) throw error;
      types.set(column, "string");
    }
  }
}

/** Every cell as it stands: what it means depends on the model. The numbers of lists are numbers. */
function asTexts(schema: DatasetSchema): DatasetSchema {
  const columns = schema.columns.map(({ name, type, source, element }) => ({
    name,
    type: element === undefined ? ("string" as const) : type,
    ...(source !== undefined && { source }),
    ...(element !== undefined && { element }),
  }));
  return { ...schema, columns, missing: [] };
}

function datasetOptions(
  format: DatasetFormat,
  { read, usualNumbers, signal }: TableOptions,
): Omit<DatasetOptions, "format" | "file"> {
  const { missing = [], onlyMissing = false, keepIndex = false, columns = [], without = [] } = read;
  const isSaid = Boolean(read.decimal) || Boolean(read.thousands);
  const { decimal, thousands } = isSaid || (format !== "csv" && format !== "tsv") ? read : usualNumbers;
  const written = { delimiter: read.delimiter, encoding: read.encoding, sheet: read.sheet, decimal, thousands };
  const types = Object.entries(read.types ?? {}).map(([name, type]) => [name, typeOf(type)] as const);
  return {
    ...Object.fromEntries(Object.entries(written).filter(([, sign]) => sign)),
    missing: missingWords(format, missing, onlyMissing),
    onlyMissing,
    keepIndex,
    columns,
    without,
    rename: new Map(Object.entries(read.rename ?? {})),
    types: new Map(types),
    dates: new Map(Object.entries(read.dates ?? {}) as [string, DateOrder][]),
    signal,
  };
}

function typeOf(type: ColumnType): "number" | "boolean" | "string" {
  return type === ColumnType.NUMBER ? "number" : type === ColumnType.BOOLEAN ? "boolean" : "string";
}

function assertWriting(written: {
  encoding?: string | undefined;
  decimal?: string | undefined;
  thousands?: string | undefined;
}) {
  const { encoding = "" } = written;
  const refuse = (message: string, remedy: string) => new AimassError("INVALID_ARGUMENT", message, { remedy });
  if (encoding !== "" && !isEncoding(encoding))
    throw refuse(`There is no encoding "${encoding}".`, "Name one such as windows-1252, utf-16le, gbk or shift_jis.");
  const wrong = signProblem(written);
  if (wrong !== undefined) throw refuse(wrong.message, wrong.remedy);
}

async function fileAt(place: string, path: string): Promise<{ size: number; mtimeMs: number }> {
  const info = await stat(place).catch((error: NodeJS.ErrnoException) => {
    throw new AimassError("NOT_FOUND", `${path} cannot be read (${error.code}).`, { remedy: "Check the path." });
  });
  if (info.isFile()) return info;
  throw new AimassError("INVALID_ARGUMENT", `${path} is no file.`, {
    remedy: "Name a file of CSV, TSV, JSON, .xlsx, Parquet or Feather, or - for standard input.",
  });
}

/** Tables are read more than once: what comes through a pipe has to stay. */
async function spooled(from: Readable, signal: AbortSignal): Promise<AsyncDisposable & { readonly path: string }> {
  const path = join(tmpdir(), `aimass-${randomUUID()}`);
  const dispose = () => rm(path, { force: true });
  try {
    await pipeline(from, createWriteStream(path, { flags: "wx", mode: 0o600 }), { signal });
  } catch (error) {
    await dispose();
    throw error;
  }
  return { path, [Symbol.asyncDispose]: dispose };
}

/** Tells how much of a file was read. */
class WatchedFile implements DataFile {
  readonly sizeBytes: number;
  readonly #inner: DataFile;
  readonly #onShare: (share: number) => void;
  #isFirstPass = true;
  #furthest = 0;

  constructor(inner: DataFile, onShare: (share: number) => void) {
    this.#inner = inner;
    this.#onShare = onShare;
    this.sizeBytes = inner.sizeBytes;
  }

  get share(): number {
    return this.sizeBytes === 0 ? 1 : Math.min(1, this.#furthest / this.sizeBytes);
  }

  restart(): void {
    this.#isFirstPass = false;
    this.#furthest = 0;
  }

  async read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    const bytes = await this.#inner.read(offset, length, signal);
    this.#furthest = Math.max(this.#furthest, offset + bytes.length);
    if (this.#isFirstPass) this.#onShare(this.share);
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }
}
