import { badFile } from "../cells/bad-cell.ts";
import { MissingTokens } from "../cells/cell-values.ts";
import type { ReaderContext } from "../format-reader.ts";
import { overLimit } from "../limits.ts";
import { elementColumns, listSpread, nothingFit, tooLong, unfitLeftOut, withSources } from "../list-columns.ts";
import { DeclaredColumn } from "../profile/declared-column.ts";
import type { InferredColumn } from "../profile/inference.ts";
import { JsonColumnInference } from "./json-inference.ts";
import { isScalar, type JsonValue, numbersOfList } from "./json-scalar.ts";
import type { WrittenRow } from "./written-row.ts";

type Column =
  | { readonly kind: "flat"; readonly values: JsonColumnInference | DeclaredColumn }
  | { readonly kind: "list"; readonly elements: readonly JsonColumnInference[] }
  | { readonly kind: "null" }
  /** What ends a sentence about it. */
  | { readonly kind: "unfit"; readonly what: string };

export interface FoundColumns {
  readonly inferred: readonly InferredColumn[];
  readonly found: readonly string[];
  readonly notes: readonly string[];
  readonly partial: boolean;
}

/** The columns of a file of objects, which are known when all of them were seen. */
export class ObjectColumns {
  readonly #context: Pick<ReaderContext, "missing" | "limits" | "types" | "dates" | "choice">;
  readonly #tokens: MissingTokens | undefined;
  readonly #columns = new Map<string, Column>();
  #width = 0;

  constructor(context: Pick<ReaderContext, "missing" | "limits" | "types" | "dates" | "choice">) {
    this.#context = context;
    this.#tokens = context.missing === undefined ? undefined : new MissingTokens(context.missing);
  }

  add(object: Readonly<Record<string, JsonValue>>, written: WrittenRow): void {
    for (const [name, value] of Object.entries(object)) {
      const column = this.#columns.get(name) ?? this.#begin(name, written);
      if (isScalar(value)) this.#addScalar(name, column, value, written);
      else this.#addNested(name, column, value, written);
    }
  }

  /** Errors: INVALID_ARGUMENT when no column is left. */
  finish(rows: number): FoundColumns {
    const found = [...this.#columns.keys()];
    const taken = new Set(found);
    const inferred: InferredColumn[] = [];
    const notes: string[] = [];
    const unfit: (readonly [string, string])[] = [];
    for (const [name, column] of this.#columns) {
      if (!this.#context.choice.wants(name)) continue;
      if (column.kind === "unfit") unfit.push([name, column.what]);
      else if (column.kind === "list") {
        const schema = elementColumns(name, column.elements.length, taken);
        const finished = column.elements.map((element, index) =>
          named(element.finish(rows), schema[index]?.name ?? ""),
        );
        inferred.push(...withSources(finished, { columns: schema }));
        notes.push(listSpread(name, column.elements.length));
      } else inferred.push(this.#flat(name, column).values.finish(rows));
    }
    if (found.length === 0) throw badFile("No object of the file has a value.", "Name the columns in every object.");
    if (inferred.length === 0) {
      this.#context.choice.check(found);
      throw nothingFit(unfit);
    }
    notes.unshift(...unfit.map(([name, what]) => unfitLeftOut(name, what)));
    return { inferred, found, notes, partial: unfit.length > 0 };
  }

  #begin(name: string, { row }: WrittenRow): Column {
    const { limits } = this.#context;
    this.#width++;
    if (this.#width > limits.columns)
      throw overLimit("columns", limits, `Row ${row} has column ${this.#width} of the file`);
    const column: Column = { kind: "null" };
    this.#columns.set(name, column);
    return column;
  }

  #addScalar(name: string, column: Column, value: string | number | boolean | null, written: WrittenRow): void {
    if (column.kind === "unfit" || !this.#context.choice.wants(name)) return;
    if (column.kind === "list") {
      if (value !== null) this.#giveUp(name, "holds lists beside other values");
    } else if (value !== null || column.kind === "flat") this.#flat(name, column).values.add(value, written);
    else if (this.#context.types.has(name)) this.#flat(name, column).values.add(value, written);
  }

  #addNested(name: string, column: Column, value: JsonValue, written: WrittenRow): void {
    if (column.kind === "unfit" || !this.#context.choice.wants(name)) return;
    const numbers = numbersOfList(value);
    if (column.kind === "flat") this.#giveUp(name, "holds lists or objects beside other values");
    else if (numbers === undefined)
      this.#giveUp(name, Array.isArray(value) ? "holds lists of other values than numbers" : "holds objects");
    else this.#addList(name, column, numbers, written);
  }

  #addList(
    name: string,
    column: Column & { kind: "list" | "null" },
    numbers: readonly (number | null)[],
    written: WrittenRow,
  ): void {
    const elements = column.kind === "list" ? column.elements : this.#beginList(name, numbers.length);
    if (elements === undefined) return;
    if (elements.length !== numbers.length || numbers.length === 0)
      this.#giveUp(name, "holds lists of different lengths");
    else for (const [index, element] of elements.entries()) element.add(numbers[index] ?? null, written);
  }

  #beginList(name: string, length: number): readonly JsonColumnInference[] | undefined {
    const { limits } = this.#context;
    if (this.#width + length > limits.columns) {
      this.#giveUp(name, tooLong(length, limits));
      return undefined;
    }
    this.#width += length;
    const elements = Array.from({ length }, (_, index) => new JsonColumnInference(`${name}_${index}`, this.#tokens));
    this.#columns.set(name, { kind: "list", elements });
    return elements;
  }

  #flat(name: string, column: Column): Column & { kind: "flat" } {
    if (column.kind === "flat") return column;
    const type = this.#context.types.get(name);
    const values =
      type === undefined
        ? new JsonColumnInference(name, this.#tokens)
        : new DeclaredColumn(name, type, this.#tokens, { order: this.#context.dates.get(name) });
    const flat = { kind: "flat", values } as const;
    this.#columns.set(name, flat);
    return flat;
  }

  #giveUp(name: string, what: string): void {
    this.#columns.set(name, { kind: "unfit", what });
  }
}

function named({ profile, warnings }: InferredColumn, name: string): InferredColumn {
  return { profile: { ...profile, name }, warnings };
}
