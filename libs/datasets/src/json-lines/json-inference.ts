import { badCell } from "../cells/bad-cell.ts";
import type { MissingTokens } from "../cells/cell-values.ts";
import { ColumnStatisticsCollector } from "../profile/column-statistics.ts";
import type { InferredColumn } from "../profile/inference.ts";
import { quote } from "../schema.ts";
import type { JsonScalar } from "./json-lines.ts";
import { outOfRange } from "./out-of-range.ts";

type Kind = "number" | "string" | "boolean";

/** Finds the type of a column of JSON values: all are of one type, or null. */
export class JsonColumnInference {
  readonly name: string;
  readonly statistics = new ColumnStatisticsCollector();
  readonly #missing: MissingTokens | undefined;
  #kind: Kind | undefined;
  #firstRow = 0;
  /** Rows in which the object had this column. */
  seen = 0;

  /** `missing`: strings that mean "no value"; without it only null does. */
  constructor(name: string, missing: MissingTokens | undefined) {
    this.name = name;
    this.#missing = missing;
  }

  add(value: JsonScalar, row: number, line: number): void {
    this.seen++;
    if (value === null || this.#missing?.hasScalar(value)) {
      this.statistics.missing++;
      return;
    }
    const kind = typeof value as Kind;
    if (this.#kind === undefined) {
      this.#kind = kind;
      this.#firstRow = row;
    } else if (kind !== this.#kind) throw this.#mixed(kind, value, row, line);
    if (typeof value === "number") this.#addNumber(value, row, line);
    else if (typeof value === "string") this.statistics.addText(value);
    else this.statistics.addBoolean(value);
  }

  finish(rows: number): InferredColumn {
    this.statistics.missing += rows - this.seen;
    if (this.#kind === "number") return { profile: this.statistics.finishNumbers(this.name), warnings: [] };
    if (this.#kind === "boolean") return { profile: this.statistics.finishBooleans(this.name), warnings: [] };
    const warnings = this.#kind === undefined ? [`Column ${quote(this.name)} has no value in ${rows} rows.`] : [];
    return { profile: this.statistics.finishTexts(this.name), warnings };
  }

  #addNumber(value: number, row: number, line: number): void {
    if (Number.isFinite(value)) this.statistics.addNumber(value);
    else throw outOfRange(this.name, row, line);
  }

  #mixed(kind: Kind, value: JsonScalar, row: number, line: number): Error {
    return badCell({
      row,
      line,
      column: this.name,
      value: String(value),
      problem: `is a ${kind}, but row ${this.#firstRow} has a ${this.#kind}`,
      remedy: "Write every value of the column as the same type, or give a schema that makes it a string.",
    });
  }
}
