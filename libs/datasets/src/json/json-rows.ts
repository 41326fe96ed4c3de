import { badFile } from "../cells/bad-cell.ts";
import { type Limits, overLimit } from "../limits.ts";
import { indexLeftOut } from "../row-name-columns.ts";
import type { SaidColumns } from "../said-columns.ts";
import { quote } from "../schema.ts";
import { heldLines } from "./held-table.ts";
import type { JsonText } from "./json-text.ts";
import { columnsOf, isList, isObject, type Part, partsOf } from "./value-cursor.ts";
import { lineOf, onOneLine, textOf } from "./value-end.ts";

const lf = Buffer.from("\n");
const orientation = 'In pandas: to_json("FILE.json", orient="records").';
/** What stands before "data" in pandas' orientations "split" and "table", and in those of `to_dict`. */
const before = new Set(["columns", "index", "schema", "index_names", "column_names", "pandas_version"]);

export interface JsonRowsOptions extends SaidColumns {
  readonly limits: Limits;
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
      for (const line of heldLines(await this.#inMemory("the table"), this.#options, this.#notes)) yield line;
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
    const { limits } = this.#options;
    let columns: Buffer | undefined;
    let index: ReadonlySet<string> = new Set();
    await text.take("{");
    do {
      if ((await text.peek()) !== '"') return undefined;
      const key = textOf(await this.#inMemory("a name"));
      await text.take(":");
      if (key === "data" && (await text.peek()) === "[") {
        if (!(await this.#holdsRows())) return undefined;
        return { names: columns && columnsOf(columns, limits).map(({ value }) => value), index };
      }
      if (!before.has(key)) return undefined;
      const value = await this.#inMemory(quote(key));
      if (key === "columns" && isList(value)) columns = value;
      if (key === "schema" && isObject(value)) index = primaryKey(value, limits);
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
    if (isList(value)) return Buffer.from(`${this.#named(value, names)}\n`);
    if (index.size === 0 || !isObject(value)) return Buffer.concat([onOneLine(value), lf]);
    const kept = columnsOf(value, this.#options.limits).filter(({ name }) =>
      this.#isKept(textOf(name as Buffer), index),
    );
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
    const cells: Part[] = [];
    let count = 0;
    for (const cell of partsOf(value)) if (++count <= names.length) cells.push(cell);
    if (count !== names.length) {
      throw badFile(
        `Row ${this.#row} has ${count} values, but the file names ${names.length} columns.`,
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

/** The columns that pandas' Table Schema says are the index. */
function primaryKey(schema: Buffer, limits: Limits): ReadonlySet<string> {
  const key = partsOf(schema).find(({ name }) => String(name) === '"primaryKey"')?.value;
  if (key === undefined || !isList(key)) return new Set();
  return new Set(columnsOf(key, limits).map(({ value }) => textOf(value)));
}
