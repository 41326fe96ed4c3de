import { badCell, inShell, keepAsText } from "../cells/bad-cell.ts";
import { type MissingTokens, outOfRange } from "../cells/cell-values.ts";
import { lostDigits, roundedDigits, textForDigits } from "../cells/lost-digits.ts";
import { ColumnStatisticsCollector } from "../profile/column-statistics.ts";
import type { InferredColumn } from "../profile/inference.ts";
import { quote } from "../schema.ts";
import type { JsonScalar } from "./json-scalar.ts";
import type { WrittenRow } from "./written-row.ts";

type Kind = "number" | "string" | "boolean";

/** Finds the type of a column of JSON values: all are of one type, or null. Numbers of which one would lose digits are strings. */
export class JsonColumnInference {
  readonly name: string;
  readonly statistics = new ColumnStatisticsCollector();
  readonly #missing: MissingTokens | undefined;
  #kind: Kind | undefined;
  #firstRow = 0;
  #firstLong: { readonly row: number; readonly text: string } | undefined;
  #firstRounded: string | undefined;
  /** Rows in which the object had this column. */
  seen = 0;

  /** `missing`: strings that mean "no value"; without it only null does. */
  constructor(name: string, missing: MissingTokens | undefined) {
    this.name = name;
    this.#missing = missing;
  }

  add(value: JsonScalar, written: WrittenRow): void {
    this.seen++;
    if (value === null || this.#missing?.hasScalar(value)) {
      this.statistics.missing++;
      return;
    }
    const kind = typeof value as Kind;
    if (this.#kind === undefined) {
      this.#kind = kind;
      this.#firstRow = written.row;
    } else if (kind !== this.#kind) throw this.#mixed(kind, value, written);
    if (typeof value === "number") this.#addNumber(value, written);
    else if (typeof value === "string") this.statistics.addText(value);
    else this.statistics.addBoolean(value);
  }

  finish(rows: number): InferredColumn {
    this.statistics.missing += rows - this.seen;
    if (this.#kind === "number") return this.#asNumbers();
    if (this.#kind === "boolean") return { profile: this.statistics.finishBooleans(this.name), warnings: [] };
    const warnings = this.#kind === undefined ? [`Column ${quote(this.name)} has no value in ${rows} rows.`] : [];
    const profile = this.statistics.finishTexts(this.name);
    return { profile, warnings: [...warnings, ...this.statistics.warnings(profile)] };
  }

  #asNumbers(): InferredColumn {
    const long = this.#firstLong;
    if (long !== undefined) {
      const warnings = [textForDigits(this.name, long.text, long.row)];
      return { profile: this.statistics.finishTexts(this.name), warnings };
    }
    const digits = this.#firstRounded === undefined ? [] : [roundedDigits(this.name, this.#firstRounded)];
    const profile = this.statistics.finishNumbers(this.name);
    return { profile, warnings: [...digits, ...this.statistics.warnings(profile)] };
  }

  #addNumber(value: number, written: WrittenRow): void {
    const { row, line } = written;
    if (!Number.isFinite(value)) throw outOfRange({ row, line, column: this.name }, written.text(this.name, value));
    const text = written.hasLongNumbers ? written.text(this.name, value) : "";
    const lost = text === "" ? undefined : lostDigits(text, value);
    if (lost === "whole") {
      if (this.#firstLong === undefined) this.#addLengths();
      this.#firstLong ??= { row, text };
      this.statistics.addText(text);
      return;
    }
    if (lost === "fraction") this.#firstRounded ??= text;
    if (this.#firstLong === undefined) this.statistics.addNumber(value);
    else this.statistics.addWrittenNumber(value, String(value).length);
  }

  /** Of the numbers before the first that makes the column text: of each while they are counted one by one; then of their ends, as whole ones are longest there and shortest near zero. */
  #addLengths(): void {
    const { counts, numbers } = this.statistics;
    if (numbers.count === 0) return;
    const { minimum, maximum, nearest } = numbers;
    const texts = counts.exact
      ? counts.top(Number.POSITIVE_INFINITY).map(({ value }) => value)
      : [minimum, maximum, nearest].map(String);
    for (const text of texts) this.statistics.addLength(text.length);
  }

  #otherwise(kind: Kind, value: JsonScalar): string {
    if (kind !== "string" || this.#kind !== "number") return "";
    return ` If it means "no value", say so: --missing ${inShell(String(value))} (in the API: read.missing).`;
  }

  #mixed(kind: Kind, value: JsonScalar, { row, line }: WrittenRow): Error {
    return badCell({
      row,
      line,
      column: this.name,
      value: String(value),
      problem: `is a ${kind}, but row ${this.#firstRow} has a ${this.#kind}`,
      remedy: `Write every value of the column as the same type. ${keepAsText(this.name)}${this.#otherwise(kind, value)}`,
    });
  }
}
