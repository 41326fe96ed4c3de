import type { Batch } from "../batch.ts";
import { ByteSource } from "../byte-source.ts";
import type { ByteStream } from "../byte-stream.ts";
import { badFile, badRow } from "../cells/bad-cell.ts";
import { MissingTokens } from "../cells/cell-values.ts";
import type { BatchOptions, FormatReader, ReaderContext } from "../format-reader.ts";
import { overLimit } from "../limits.ts";
import { DeclaredColumn } from "../profile/declared-column.ts";
import { type Inference, inferenceOf } from "../profile/inference.ts";
import { TextColumnInference } from "../profile/text-inference.ts";
import { checkColumns, type DatasetSchema, selectColumns } from "../schema.ts";
import { BatchAssembler } from "./batch-assembler.ts";
import { readHeader } from "./header.ts";
import { Records } from "./records.ts";
import { withoutRowNames } from "./row-names.ts";
import { type Separator, separatorOf } from "./separator.ts";

/**
 * CSV (RFC 4180), TSV and other delimited text: what stands between cells is found where nobody says it, the encoding is UTF-8 unless a byte order mark or
 * somebody says another; a header row, LF or CRLF, quotes as in CSV.
 */
export class DelimitedReader implements FormatReader {
  readonly #context: ReaderContext;
  readonly #defaultDelimiter: string;
  readonly #open: (() => ByteStream) | undefined;

  /** `open`: of another format, its rows as delimited text. */
  constructor(context: ReaderContext, defaultDelimiter: string, open?: () => ByteStream) {
    this.#context = context;
    this.#defaultDelimiter = defaultDelimiter;
    this.#open = open;
  }

  async infer(signal: AbortSignal | undefined): Promise<Inference> {
    const { file, limits, missing, types, dates, onlyMissing, choice, encoding, decimal, thousands } = this.#context;
    const usual = this.#defaultDelimiter;
    const given = this.#context.delimiter;
    const separator: Separator =
      given === undefined ? await separatorOf({ file, encoding, limits }, { usual, signal }) : { delimiter: given };
    const delimiter = given ?? (separator.delimiter === usual ? undefined : separator.delimiter);
    using records = this.#records({ delimiter, encoding }, signal);
    const header = await readHeader(records, delimiter !== undefined);
    const { names } = header;
    const tokens = new MissingTokens(missing);
    const columns = names.map((name) => {
      if (!choice.wants(name)) return undefined;
      const type = types.get(name);
      return type === undefined
        ? new TextColumnInference(name, tokens, !onlyMissing, { decimal, thousands })
        : new DeclaredColumn(name, type, tokens, { numbers: { decimal, thousands }, order: dates.get(name) });
    });
    const { scanner } = records;
    while (await this.#nextRow(records, names.length)) {
      for (let cell = 0; cell < columns.length; cell++) {
        const column = columns[cell];
        if (column === undefined) continue;
        const start = scanner.starts[cell] as number;
        if (scanner.quoting[cell] === 2) column.text(records.text(cell), scanner.row, scanner.line);
        else column.cell(records.bytes, start, scanner.ends[cell] as number, scanner.row, scanner.line);
      }
      records.take();
    }
    if (scanner.row === 0) throw onlyHeader();
    const inferred = columns.flatMap((column) => column?.finish() ?? []);
    const { kept, notes } = withoutRowNames(inferred, header, this.#context);
    const readAs = { missing, delimiter, encoding, decimal, thousands, found: names };
    return inferenceOf(kept, scanner.row, readAs, separator.note === undefined ? notes : [separator.note, ...notes]);
  }

  async *batches(schema: DatasetSchema, options: BatchOptions): AsyncGenerator<Batch> {
    using records = this.#records(schema, options.signal);
    const { names } = await readHeader(records, schema.delimiter !== undefined);
    checkColumns(schema, names);
    const assembler = new BatchAssembler({
      records,
      names,
      wanted: selectColumns(schema, options.columns),
      missing: schema.missing,
      batchRows: options.batchRows,
      numbers: schema,
    });
    while (await this.#nextRow(records, names.length)) {
      assembler.add();
      records.take();
      if (assembler.full) yield assembler.finish();
    }
    if (records.scanner.row === 0) throw onlyHeader();
    if (assembler.rows > 0) yield assembler.finish();
  }

  #records({ delimiter, encoding }: WrittenAs, signal: AbortSignal | undefined): Records {
    const { file, limits } = this.#context;
    const isFile = this.#open === undefined;
    const text = this.#open?.() ?? new ByteSource({ file, encoding, limits });
    return new Records({ text, isFile, limits, delimiter: delimiter ?? this.#defaultDelimiter, signal });
  }

  /** Scans the next row into `records`; a promise only when more of the file is needed. */
  #nextRow(records: Records, width: number): boolean | Promise<boolean> {
    const { scanner } = records;
    scanner.row++;
    if (!records.advance()) return this.#fillRow(records, width);
    this.#checkRow(records, width);
    return true;
  }

  async #fillRow(records: Records, width: number): Promise<boolean> {
    do {
      if (await records.fill()) continue;
      records.scanner.row--;
      return false;
    } while (!records.advance());
    this.#checkRow(records, width);
    return true;
  }

  #checkRow({ scanner }: Records, width: number): void {
    const { limits } = this.#context;
    if (scanner.cells !== width) throw ragged(scanner.row, scanner.line, scanner.cells, width);
    if (scanner.row > limits.rows) throw overLimit("rows", limits, `The file has at least ${scanner.row} rows`);
  }
}

interface WrittenAs {
  readonly delimiter?: string | undefined;
  readonly encoding?: string | undefined;
}

function onlyHeader(): Error {
  return badFile("The file has a header and no rows.", "Upload a file with at least one row.");
}

function ragged(row: number, line: number | undefined, cells: number, width: number): Error {
  const remedy =
    cells > width
      ? "Put cells that contain the delimiter in quotes."
      : "Write every row with all its cells; leave those without a value empty.";
  return badRow(row, line, `there are ${cells} cells, but the header has ${width} columns`, remedy);
}
