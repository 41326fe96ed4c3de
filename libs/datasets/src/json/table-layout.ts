import { badFile } from "../cells/bad-cell.ts";
import type { Limits } from "../limits.ts";
import type { SaidColumns } from "../said-columns.ts";
import { quote } from "../schema.ts";
import { partsOf, ValueCursor } from "./value-cursor.ts";
import { textOf } from "./value-end.ts";

/** How the objects of an object are read: as columns, as pandas writes them unless told otherwise, or as rows (`orient="index"`). */
export interface TableLayout {
  readonly areRows: boolean;
  /** What a person should know where the names decided and the values fit the other layout, too. */
  readonly doubt?: string;
}

interface Names {
  readonly first: string;
  readonly areNumbers: boolean;
  /** Whether they count from 0 on, as the index of pandas does that nobody named. */
  readonly count: boolean;
  /** How many are known to be those of columns. */
  readonly columns: number;
}

export interface LayoutOptions extends Pick<SaidColumns, "isColumn"> {
  readonly limits: Limits;
}

const records = 'to_json("FILE.json", orient="records")';

/**
 * Tells rows from columns: by names that are known, then by numbers, which name rows (outer ones where they count from 0), then by the values, which are of one kind
 * in a column.
 * Errors: INVALID_ARGUMENT where both may be meant.
 */
export function layoutOf(table: Buffer, options: LayoutOptions): TableLayout {
  const first = partsOf(table).next().value;
  if (first === undefined) return { areRows: false };
  const [outer, inner] = [namesOf(table, options), namesOf(first.value, options)];
  if (outer.columns !== inner.columns) return { areRows: inner.columns > outer.columns };
  if (inner.areNumbers && !outer.areNumbers) return { areRows: false };
  const fits = new LayoutFit(table, options.limits);
  if (outer.count && !inner.areNumbers) {
    if (fits.columns && !fits.rows) throw cannotTell(outer, inner);
    return { areRows: true, ...(fits.columns && { doubt: countedRows(outer) }) };
  }
  if (fits.columns !== fits.rows) return { areRows: fits.rows };
  if (inner.areNumbers) return { areRows: false, ...(fits.rows && { doubt: twoNumberings }) };
  throw cannotTell(outer, inner);
}

function namesOf(object: Buffer, { isColumn }: LayoutOptions): Names {
  let first: string | undefined;
  let [at, columns] = [0, 0];
  let [areNumbers, count] = [true, true];
  for (const { name } of partsOf(object)) {
    const text = textOf(name as Buffer);
    first ??= text;
    areNumbers &&= /^-?\d+$/.test(text);
    count &&= text === String(at++);
    if (isColumn(text)) columns++;
  }
  return { first: first ?? "", areNumbers, count, columns };
}

/** Which layouts the values of an object of objects fit: those in which every column has one kind of value. */
class LayoutFit {
  columns = true;
  rows = true;
  readonly #limits: Limits;
  /** Of the columns that there would be if the objects are rows. */
  readonly #kinds = new Map<string, string>();

  constructor(table: Buffer, limits: Limits) {
    this.#limits = limits;
    let first: Buffer | undefined;
    let count = 0;
    for (const { value } of partsOf(table)) {
      first ??= value;
      this.columns &&= ++count <= limits.columns;
      this.#add(value, new ValueCursor(first));
      if (!this.columns && !this.rows) break;
    }
  }

  /** `first`: the members of the first object; all columns have the same rows. */
  #add(object: Buffer, first: ValueCursor): void {
    let kind: string | undefined;
    for (const { name, value } of partsOf(object)) {
      this.columns &&= String(first.next()?.name) === String(name);
      const found = kindOf(value);
      if (found === undefined) continue;
      kind ??= found;
      this.columns &&= kind === found;
      this.rows &&= this.#fitsColumn(textOf(name as Buffer), found);
    }
    this.columns &&= first.next() === undefined;
  }

  #fitsColumn(name: string, kind: string): boolean {
    const known = this.#kinds.get(name);
    if (known === undefined) this.#kinds.set(name, kind);
    return (known === undefined || known === kind) && this.#kinds.size <= this.#limits.columns;
  }
}

/** Undefined for null, which every column may hold. */
function kindOf(value: Buffer): string | undefined {
  const sign = String.fromCharCode(value[0] as number);
  if (sign === "n") return undefined;
  return sign === "f" ? "t" : '"{[t'.includes(sign) ? sign : "number";
}

function cannotTell(outer: Names, inner: Names): Error {
  return badFile(
    `Whether ${quote(outer.first)} or ${quote(inner.first)} is the name of a column cannot be told from the JSON file.`,
    `Write an array of objects, in pandas: ${records}. Or name the columns: --columns NAME,NAME (in the API: read.columns).`,
  );
}

function countedRows({ first }: Names): string {
  return `The outer names of the JSON file count from ${quote(first)} on, and are taken for the numbers of its rows. If they name columns, say so: --columns NAME,NAME (in the API: read.columns).`;
}

const twoNumberings = `The outer and the inner names of the JSON file are numbers; the outer ones are taken for columns, as pandas writes them unless told otherwise. If they are rows, write them so: ${records}.`;
