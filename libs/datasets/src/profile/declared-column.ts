import { booleanOf, type MissingTokens, notABoolean, notANumber, numberOf } from "../cells/cell-values.ts";
import { NumberParser } from "../cells/number-parser.ts";
import { TextCache } from "../cells/text-cache.ts";
import { outOfRange } from "../json-lines/out-of-range.ts";
import type { ColumnType } from "../schema.ts";
import { ColumnStatisticsCollector } from "./column-statistics.ts";
import { finishColumn, type InferredColumn } from "./inference.ts";

/** Statistics of a column of a text format whose type is declared; every cell must be of it. */
export class DeclaredColumn {
  readonly name: string;
  /** Rows in which the object had this column; of JSON Lines only. */
  seen = 0;
  readonly #type: ColumnType;
  readonly #missing: MissingTokens | undefined;
  readonly #parser = new NumberParser();
  readonly #cache = new TextCache();
  readonly #statistics = new ColumnStatisticsCollector();

  /** `missing`: texts that mean "no value"; without it none does. */
  constructor(name: string, type: ColumnType, missing: MissingTokens | undefined) {
    this.name = name;
    this.#type = type;
    this.#missing = missing;
  }

  /** Takes in the cell of UTF-8 bytes [start, end). */
  cell(bytes: Buffer, start: number, end: number, row: number, line: number): void {
    if (this.#type === "number" && this.#parser.parse(bytes, start, end)) this.#addNumber(this.#parser.value);
    else this.text(this.#cache.text(bytes, start, end), row, line);
  }

  /** Takes in a cell as text. */
  text(text: string, row: number, line: number): void {
    if (this.#missing?.has(text)) this.#statistics.missing++;
    else if (this.#type === "string") this.#statistics.addText(text);
    else if (this.#type === "boolean") this.#addBoolean(text, row, line);
    else throw notANumber({ row, line, column: this.name }, text);
  }

  /** Takes in a value of JSON. */
  add(value: string | number | boolean | null, row: number, line: number): void {
    this.seen++;
    if (value === null || this.#missing?.hasScalar(value)) this.#statistics.missing++;
    else if (this.#type === "string") this.#statistics.addText(String(value));
    else if (this.#type === "boolean") this.#addBoolean(String(value), row, line);
    else {
      const number = typeof value === "string" ? numberOf(value) : value;
      if (typeof number !== "number") throw notANumber({ row, line, column: this.name }, String(value));
      if (!Number.isFinite(number)) throw outOfRange(this.name, row, line);
      this.#statistics.addNumber(number);
    }
  }

  /** `rows`: of JSON Lines, those of the file. */
  finish(rows = this.seen): InferredColumn {
    this.#statistics.missing += rows - this.seen;
    return finishColumn(this.name, this.#type, this.#statistics);
  }

  #addNumber(value: number): void {
    if (this.#missing?.hasNumber(value)) this.#statistics.missing++;
    else this.#statistics.addNumber(value);
  }

  #addBoolean(text: string, row: number, line: number): void {
    const value = booleanOf(text);
    if (value === undefined) throw notABoolean({ row, line, column: this.name }, text);
    this.#statistics.addBoolean(value === 1);
  }
}
