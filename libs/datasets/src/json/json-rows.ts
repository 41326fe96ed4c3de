import { badFile } from "../cells/bad-cell.ts";
import { type Limits, overLimit } from "../limits.ts";
import { indexLeftOut } from "../row-name-columns.ts";
import { quote } from "../schema.ts";
import { columnLines, recordLines } from "./held-table.ts";
import type { JsonText } from "./json-text.ts";
import { partsOf } from "./value-cursor.ts";
import { lineOf, onOneLine } from "./value-end.ts";

const lf = Buffer.from("\n");
const orientation = 'In pandas: to_json("FILE.json", orient="records").';
/** What stands before "data" in pandas' orientations "split" and "table", and in those of `to_dict`. */
const before = new Set(["columns", "index", "schema", "index_names", "column_names", "pandas_version"]);

export interface JsonRowsOptions {
  readonly limits: Limits;
  /** Whether a column that pandas wrote as the index stays. */
  readonly keepsIndex: (name: string) => boolean;
}

/** What a file says before its rows. */
interface Preamble {
  readonly names: readonly Buffer[] | undefined;
  readonly index: ReadonlySet<string>;
}

/**
 * The rows of a JSON file as JSON Lines: an array of objects, objects one after another, pandas' `to_json` as "records", "split", "table", "columns" and "index",
 * and an object of lists. Arrays and sequences of objects are read row by row; where columns stand one after another the file is held as it is, up to `limits.jsonTableBytes`.
 */
export class JsonRows {
  readonly #text: JsonText;
  readonly #options: JsonRowsOptions;
  readonly #notes = new Set<string>();
  #row = 0;

  constructor(text: JsonText, options: JsonRowsOptions) {
    this.#text = text;
    this.#options = options;
  }

  /** What a person should know of the file, once its rows were read. */
  get notes(): readonly string[] {
    return [...this.#notes];
  }

  async *lines(): AsyncGenerator<Buffer, void> {
    using text = this.#text;
    const first = await text.peek();
    if (first === "") throw badFile("The file is empty.", "Upload a file with at least one row.");
    if (first === "[") yield* this.#elements({ names: undefined, index: new Set() });
    else if (first === "{") yield* this.#objects();
    else throw badFile("The JSON file holds no table but a single value.", `Write an array of objects. ${orientation}`);
    await text.end();
  }

  /** The rows of the array that comes next. */
  async *#elements(preamble: Preamble): AsyncGenerator<Buffer, void> {
    const text = this.#text;
    await text.take("[");
    if ((await text.peek()) === "]") {
      await text.take("]");
      return;
    }
    do {
      this.#row++;
      yield this.#line(await this.#nextRow(), preamble);
      text.release();
    } while ((await text.take(",]")) === ",");
  }

  async *#objects(): AsyncGenerator<Buffer, void> {
    const text = this.#text;
    const start = text.mark;
    const whole = await text.value(this.#options.limits.rowBytes);
    if (whole !== undefined && (await text.peek()) === "{") {
      text.rewind(start);
      yield* this.#sequence();
      return;
    }
    text.rewind(start);
    const preamble = await this.#preamble();
    if (preamble === undefined) {
      text.rewind(start);
      yield* this.#held();
      return;
    }
    text.release();
    yield* this.#elements(preamble);
    while ((await text.take(",}")) === ",") {
      await this.#inMemory("what follows the rows");
      await text.take(":");
      await this.#inMemory("what follows the rows");
      text.release();
    }
  }

  /** Objects one after another, as `jq` writes them. */
  async *#sequence(): AsyncGenerator<Buffer, void> {
    const text = this.#text;
    while ((await text.peek()) !== "") {
      this.#row++;
      yield this.#line(await this.#nextRow(), { names: undefined, index: new Set() });
      text.release();
    }
  }

  /** Goes to the array of rows of "split" and "table"; undefined when the object is none of them. */
  async #preamble(): Promise<Preamble | undefined> {
    const text = this.#text;
    let names: readonly Buffer[] | undefined;
    let index: ReadonlySet<string> = new Set();
    await text.take("{");
    do {
      if ((await text.peek()) !== '"') return undefined;
      const key = textOf(await this.#inMemory("a name"));
      await text.take(":");
      if (key === "data" && (await text.peek()) === "[")
        return (await this.#holdsRows()) ? { names, index } : undefined;
      if (!before.has(key)) return undefined;
      const value = await this.#inMemory(quote(key));
      if (key === "columns" && value[0] === 0x5b) names = partsOf(value).map((part) => part.value);
      if (key === "schema" && value[0] === 0x7b) index = primaryKey(value);
    } while ((await text.take(",}")) === ",");
    return undefined;
  }

  /** Whether the array that comes next holds rows, and not the values of a column. */
  async #holdsRows(): Promise<boolean> {
    const text = this.#text;
    const start = text.mark;
    await text.take("[");
    const first = await text.peek();
    text.rewind(start);
    return first === "{" || first === "[" || first === "]";
  }

  /** A whole object in memory: of columns, of rows by name, or one row. */
  async *#held(): AsyncGenerator<Buffer, void> {
    const whole = await this.#inMemory("the table");
    const parts = partsOf(whole);
    const opening = new Set(parts.map(({ value }) => value[0]));
    if (parts.length > 0 && opening.size === 1 && (opening.has(0x5b) || opening.has(0x7b))) {
      const rows = isByRow(
        parts.map(({ name }) => textOf(name as Buffer)),
        parts[0]?.value as Buffer,
      )
        ? recordLines(parts, this.#notes)
        : columnLines(parts, this.#notes);
      for (const line of rows) yield line;
    } else yield Buffer.concat([onOneLine(whole), lf]);
  }

  async #nextRow(): Promise<Buffer> {
    const value = await this.#text.value(this.#options.limits.rowBytes);
    if (value !== undefined) return value;
    const { limits } = this.#options;
    throw overLimit("rowBytes", limits, `Row ${this.#row} has more bytes than may be`);
  }

  async #inMemory(what: string): Promise<Buffer> {
    const { limits } = this.#options;
    const value = await this.#text.value(limits.jsonTableBytes);
    if (value !== undefined) return value;
    const remedy = `Write the rows one after another: they are then read one by one. ${orientation}`;
    throw overLimit(
      "jsonTableBytes",
      limits,
      `JSON whose rows are not objects one after another is held in memory, and ${what} is too long for that`,
      remedy,
    );
  }

  #line(value: Buffer, { names, index }: Preamble): Buffer {
    if (value[0] === 0x5b) return Buffer.from(`${this.#named(value, names)}\n`);
    if (index.size === 0) return Buffer.concat([onOneLine(value), lf]);
    const kept = partsOf(value).filter(({ name }) => this.#isKept(textOf(name as Buffer), index));
    return Buffer.from(`{${kept.map(({ name, value }) => `${lineOf(name as Buffer)}:${lineOf(value)}`).join(",")}}\n`);
  }

  #isKept(name: string, index: ReadonlySet<string>): boolean {
    if (!index.has(name) || this.#options.keepsIndex(name)) return true;
    this.#notes.add(indexLeftOut(name));
    return false;
  }

  #named(value: Buffer, names: readonly Buffer[] | undefined): string {
    if (names === undefined) {
      throw badFile(
        `Row ${this.#row} is a list, and the file does not name its columns.`,
        `Write an array of objects. ${orientation}`,
      );
    }
    const cells = partsOf(value);
    if (cells.length !== names.length) {
      throw badFile(
        `Row ${this.#row} has ${cells.length} values, but the file names ${names.length} columns.`,
        "Write every row with all its values, null where there is none.",
      );
    }
    return `{${cells.map((cell, at) => `${asName(names[at] as Buffer)}:${lineOf(cell.value)}`).join(",")}}`;
  }
}

/** Names of columns that are numbers in the file, as pandas writes them, are texts here. */
function asName(written: Buffer): string {
  const text = lineOf(written);
  if (text.startsWith('"')) return text;
  if (/^-?\d+(?:\.\d+)?$/.test(text)) return `"${text}"`;
  throw badFile(
    `The file calls a column ${quote(text)}, which is no text.`,
    "Give columns plain names (pandas: no MultiIndex).",
  );
}

function textOf(written: Buffer): string {
  try {
    return String(JSON.parse(lineOf(written)));
  } catch (cause) {
    throw badFile(`The file is not JSON: ${quote(String(written))} is no text.`, "Write it anew.", cause);
  }
}

/** The columns that pandas' Table Schema says are the index. */
function primaryKey(schema: Buffer): ReadonlySet<string> {
  const key = partsOf(schema).find(({ name }) => String(name) === '"primaryKey"')?.value;
  if (key?.[0] !== 0x5b) return new Set();
  return new Set(partsOf(key).map(({ value }) => textOf(value)));
}

/** Whether an object's names are those of rows ("index"), and not of columns, as pandas writes it unless told otherwise: numbers name rows, else the more numerous names do. */
function isByRow(names: readonly string[], first: Buffer): boolean {
  if (first[0] !== 0x7b) return false;
  const inner = partsOf(first).map(({ name }) => textOf(name as Buffer));
  const [outerNumbers, innerNumbers] = [names, inner].map((all) => all.every((name) => /^-?\d+$/.test(name)));
  return outerNumbers === innerNumbers ? names.length > inner.length && !outerNumbers : outerNumbers === true;
}
