import type { DateOrder, NumberFormat } from "@aimass/core";
import {
  booleanOf,
  type CellPlace,
  type MissingTokens,
  notABoolean,
  notANumber,
  notExact,
  outOfRange,
} from "../cells/cell-values.ts";
import { lostDigits } from "../cells/lost-digits.ts";
import { NumberParser } from "../cells/number-parser.ts";
import { TextCache } from "../cells/text-cache.ts";
import type { JsonScalar } from "../json-lines/json-scalar.ts";
import type { WrittenRow } from "../json-lines/written-row.ts";
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
  readonly #parser: NumberParser;
  readonly #cache = new TextCache();
  readonly #statistics: ColumnStatisticsCollector;

  /**
   * `missing`: texts that mean "no value"; without it none does. `numbers`: how they are written. `order`: of a string, what comes first in its dates;
   * without it it is text.
   */
  constructor(
    name: string,
    type: ColumnType,
    missing: MissingTokens | undefined,
    { numbers = {}, order }: { numbers?: NumberFormat; order?: DateOrder | undefined } = {},
  ) {
    this.#parser = new NumberParser(numbers);
    this.#statistics = new ColumnStatisticsCollector(order ?? "text");
    this.name = name;
    this.#type = type;
    this.#missing = missing;
  }

  /** Takes in the cell of UTF-8 bytes [start, end). */
  cell(bytes: Buffer, start: number, end: number, row: number, line: number | undefined): void {
    if (this.#type === "number" && this.#parser.parse(bytes, start, end)) {
      const place = { row, line, column: this.name };
      this.#addNumber(this.#parser.value, place, () => bytes.toString("latin1", start, end));
    } else this.text(this.#cache.text(bytes, start, end), row, line);
  }

  /** Takes in a cell as text. */
  text(text: string, row: number, line: number | undefined): void {
    if (this.#missing?.has(text)) this.#statistics.missing++;
    else if (this.#type === "string") this.#statistics.addText(text);
    else if (this.#type === "boolean") this.#addBoolean(text, row, line);
    else throw notANumber({ row, line, column: this.name }, text);
  }

  /** Takes in a value of JSON. */
  add(value: JsonScalar, written: WrittenRow): void {
    this.seen++;
    const { row, line } = written;
    if (value === null || this.#missing?.hasScalar(value)) this.#statistics.missing++;
    else if (this.#type === "string") this.#statistics.addText(written.text(this.name, value));
    else if (this.#type === "boolean") this.#addBoolean(String(value), row, line);
    else this.#addJsonNumber(value, written);
  }

  /** `rows`: of JSON Lines, those of the file. */
  finish(rows = this.seen): InferredColumn {
    this.#statistics.missing += rows - this.seen;
    return finishColumn(this.name, this.#type, this.#statistics);
  }

  #addJsonNumber(value: string | number | boolean, written: WrittenRow): void {
    const place = { row: written.row, line: written.line, column: this.name };
    if (typeof value === "string") {
      const bytes = Buffer.from(value);
      if (!this.#parser.parse(bytes, 0, bytes.length)) throw notANumber(place, value);
      this.#addNumber(this.#parser.value, place, () => value);
      return;
    }
    if (typeof value === "boolean") throw notANumber(place, String(value));
    if (!Number.isFinite(value)) throw outOfRange(place, written.text(this.name, value));
    this.#addNumber(value, place, () => written.text(this.name, value));
  }

  #addNumber(value: number, place: CellPlace, written: () => string): void {
    if (this.#missing?.hasNumber(value)) {
      this.#statistics.missing++;
      return;
    }
    if (Math.abs(value) >= 2 ** 53 && lostDigits(this.#parser.plain(written()), value) === "whole")
      throw notExact(place, written().trim());
    this.#statistics.addNumber(value);
  }

  #addBoolean(text: string, row: number, line: number | undefined): void {
    const value = booleanOf(text);
    if (value === undefined) throw notABoolean({ row, line, column: this.name }, text);
    this.#statistics.addBoolean(value === 1);
  }
}
