import { AimassError } from "@aimass/core";
import { type Batch, ColumnBuilder, type ColumnData } from "../batch.ts";
import { ByteSource, type TextFile } from "../byte-source.ts";
import { badCell, badFile } from "../cells/bad-cell.ts";
import { booleanOf, MissingTokens, notABoolean, notANumber, numberOf, outOfRange } from "../cells/cell-values.ts";
import type { BatchOptions, FormatReader, ReaderContext } from "../format-reader.ts";
import { overLimit } from "../limits.ts";
import { type Inference, inferenceOf } from "../profile/inference.ts";
import { type ColumnSchema, type DatasetSchema, listed, selectColumns } from "../schema.ts";
import { JsonLines } from "./json-lines.ts";
import { isScalar, type JsonValue, numbersOfList } from "./json-scalar.ts";
import { ObjectColumns } from "./object-columns.ts";
import type { OpenRows, RowText } from "./row-text.ts";
import type { WrittenRow } from "./written-row.ts";

/** JSON Lines (https://jsonlines.org): one object a line, whose values are scalars, or lists of numbers, which are read as a column for each. A name that a line lacks is a missing value. */
export class JsonLinesReader implements FormatReader {
  readonly #context: ReaderContext;
  readonly #open: OpenRows;

  /** `open`: of another format, its rows as JSON Lines. */
  constructor(context: ReaderContext, open?: OpenRows) {
    this.#context = context;
    this.#open = open ?? ((schema) => linesOf({ ...context, encoding: (schema ?? context).encoding }));
  }

  async infer(signal: AbortSignal | undefined): Promise<Inference> {
    const { missing, encoding } = this.#context;
    const rows = this.#open(undefined, signal);
    using lines = new JsonLines(rows, this.#context.limits, signal);
    const columns = new ObjectColumns(this.#context);
    await this.#eachRow(lines, (object) => columns.add(object, lines.written));
    const { inferred, found, notes, partial } = columns.finish(lines.written.row);
    return inferenceOf(inferred, lines.written.row, { missing, found, partial, encoding }, [...rows.notes(), ...notes]);
  }

  async *batches(schema: DatasetSchema, options: BatchOptions): AsyncGenerator<Batch> {
    using lines = new JsonLines(this.#open(schema, options.signal), this.#context.limits, options.signal);
    const assembler = new ObjectAssembler(schema, selectColumns(schema, options.columns), options.batchRows);
    for (;;) {
      for (let object = lines.next(); object !== undefined; object = lines.next()) {
        this.#checkRows(lines.written.row);
        assembler.add(object, lines.written);
        if (assembler.rows === options.batchRows) yield assembler.finish();
      }
      if (!(await lines.fill())) break;
    }
    if (lines.written.row === 0) throw noRows();
    if (assembler.rows > 0) yield assembler.finish();
  }

  async #eachRow(lines: JsonLines, visit: (object: Readonly<Record<string, JsonValue>>) => void): Promise<void> {
    do {
      for (let object = lines.next(); object !== undefined; object = lines.next()) {
        this.#checkRows(lines.written.row);
        visit(object);
      }
    } while (await lines.fill());
    if (lines.written.row === 0) throw noRows();
  }

  #checkRows(row: number): void {
    const { limits } = this.#context;
    if (row > limits.rows) throw overLimit("rows", limits, `The file has at least ${row} rows`);
  }
}

function linesOf(file: TextFile): RowText {
  return { text: new ByteSource(file), areLines: true, notes: () => [] };
}

function noRows(): Error {
  return badFile("The file has no rows.", "Upload a file with at least one line.");
}

/** Turns objects into batches of typed columns. */
class ObjectAssembler {
  rows = 0;
  /** The names that an object may have; all when undefined. */
  readonly #known: ReadonlySet<string> | undefined;
  readonly #wanted: readonly ColumnSchema[];
  readonly #missing: readonly MissingTokens[];
  readonly #batchRows: number;
  #builders: readonly ColumnBuilder[] = [];
  #list: { readonly value: JsonValue; readonly numbers: ReturnType<typeof numbersOfList> } = {
    value: null,
    numbers: undefined,
  };
  #firstRow = 0;

  constructor(schema: DatasetSchema, wanted: readonly ColumnSchema[], batchRows: number) {
    this.#known =
      schema.partial === true ? undefined : new Set(schema.columns.map(({ name, source }) => source ?? name));
    this.#wanted = wanted;
    this.#missing = wanted.map((column) => new MissingTokens(schema.missing ?? [], column.missing));
    this.#batchRows = batchRows;
  }

  add(object: Readonly<Record<string, JsonValue>>, written: WrittenRow): void {
    if (this.rows === 0) this.#builders = this.#wanted.map(({ type }) => new ColumnBuilder(type, this.#batchRows));
    const { row, line } = written;
    const known = this.#known;
    if (known !== undefined)
      for (const name of Object.keys(object)) if (!known.has(name)) throw unknown(name, known, written);
    for (let index = 0; index < this.#wanted.length; index++) {
      const column = this.#wanted[index] as ColumnSchema;
      const { name } = column;
      const value = this.#valueIn(object, column);
      if (!isScalar(value)) throw notFlat({ column: name, row, line });
      if (value === null || this.#missing[index]?.hasScalar(value)) continue;
      this.#put(this.#builders[index] as ColumnBuilder, value, name, written);
    }
    this.rows++;
  }

  finish(): Batch {
    const columns = new Map<string, ColumnData>();
    for (const [index, { name }] of this.#wanted.entries()) {
      columns.set(name, (this.#builders[index] as ColumnBuilder).finish(this.rows));
    }
    const batch = { rows: this.rows, firstRow: this.#firstRow, columns };
    this.#firstRow += this.rows;
    this.rows = 0;
    return batch;
  }

  #valueIn(object: Readonly<Record<string, JsonValue>>, { name, source, element }: ColumnSchema): JsonValue {
    const inFile = element === undefined ? name : (source as string);
    const value = Object.hasOwn(object, inFile) ? (object[inFile] as JsonValue) : null;
    return element === undefined ? value : (this.#numbersOf(value)?.[element] ?? null);
  }

  /** The columns of one list come one after the other: it is looked through once. */
  #numbersOf(list: JsonValue): ReturnType<typeof numbersOfList> {
    if (list !== this.#list.value) this.#list = { value: list, numbers: numbersOfList(list) };
    return this.#list.numbers;
  }

  #put(builder: ColumnBuilder, value: string | number | boolean, column: string, written: WrittenRow): void {
    const place = { column, row: written.row, line: written.line };
    if (builder.type === "number") {
      const number = typeof value === "string" ? numberOf(value) : typeof value === "number" ? value : undefined;
      if (number === undefined) throw notANumber(place, String(value));
      if (!Number.isFinite(number)) throw outOfRange(place, written.text(column, value));
      builder.numbers[this.rows] = number;
    } else if (builder.type === "boolean") {
      const boolean = booleanOf(String(value));
      if (boolean === undefined) throw notABoolean(place, String(value));
      builder.booleans[this.rows] = boolean;
    } else builder.strings[this.rows] = written.text(column, value);
  }
}

function notFlat(place: { readonly column: string; readonly row: number; readonly line: number | undefined }): Error {
  return badCell({ ...place, problem: "there is an object or a list", remedy: "Write numbers, texts and truths." });
}

function unknown(name: string, known: ReadonlySet<string>, { row, line }: WrittenRow): Error {
  const where = line === undefined ? `Row ${row}` : `Row ${row} (line ${line})`;
  const problem = `${where} has a value for ${listed([name])}, which is no column.`;
  return new AimassError("INVALID_ARGUMENT", problem, {
    reason: "BAD_ROW",
    field: `rows[${row}].${name}`,
    remedy: `The columns are ${listed([...known])}.`,
  });
}
