import type { Batch } from "../batch.ts";
import { PieceStream } from "../byte-stream.ts";
import { DelimitedReader } from "../delimited/delimited-reader.ts";
import type { BatchOptions, FormatReader, ReaderContext } from "../format-reader.ts";
import type { Inference } from "../profile/inference.ts";
import { type DatasetSchema, quote } from "../schema.ts";
import { SheetRows } from "./sheet-rows.ts";
import { Workbook } from "./workbook.ts";

const delimiter = ",";

/** One sheet of an Excel workbook (.xlsx), by the rules of CSV: its first row names the columns. */
export class XlsxReader implements FormatReader {
  readonly #context: ReaderContext;

  constructor(context: ReaderContext) {
    this.#context = context;
  }

  async infer(signal: AbortSignal | undefined): Promise<Inference> {
    const { sheet: named } = this.#context;
    const { rows, sheet, others } = await this.#open(named, signal);
    const { schema, warnings, ...found } = await readerOf(this.#context, rows).infer(signal);
    const { delimiter: _, ...kept } = schema;
    const note = `The workbook has ${others + 1} sheets; the first, ${quote(sheet)}, is read. For another, name it: --sheet NAME (in the API: read.sheet).`;
    const notes = [...(named === undefined && others > 0 ? [note] : []), ...rows.notes];
    return { ...found, schema: { ...kept, sheet }, warnings: [...notes, ...warnings] };
  }

  async *batches(schema: DatasetSchema, options: BatchOptions): AsyncGenerator<Batch> {
    const { rows } = await this.#open(schema.sheet, options.signal);
    yield* readerOf(this.#context, rows).batches({ ...schema, delimiter }, options);
  }

  async #open(name: string | undefined, signal: AbortSignal | undefined) {
    const { file, limits } = this.#context;
    const workbook = await Workbook.open(file, limits, signal);
    const sheet = workbook.sheet(name);
    return { rows: new SheetRows(workbook, sheet, limits), sheet: sheet.name, others: workbook.sheets.length - 1 };
  }
}

function readerOf(context: ReaderContext, rows: SheetRows): DelimitedReader {
  const written = { delimiter, encoding: undefined, decimal: undefined, thousands: undefined };
  return new DelimitedReader({ ...context, ...written }, delimiter, () => new PieceStream(rows.lines()));
}
