import { datePattern, type NumberFormat, plainNumber, readDate } from "@aimass/core";
import {
  booleanOf,
  type ColumnData,
  type ColumnSchema,
  type DatasetSchema,
  MissingTokens,
  valueAt,
} from "@aimass/datasets";

const jsonNumber = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** How a table is written, beside what its columns are. */
export interface TableWriting extends Pick<DatasetSchema, "decimal" | "thousands"> {
  /** Texts that mean "no value", by usage or because somebody said so. */
  readonly missing: readonly string[];
  /** Whether somebody said which texts mean "no value". */
  readonly isMissingNamed: boolean;
}

/**
 * A column of a table as texts, and what they stand for. The usual words for "no value", and those that somebody named, are gaps among numbers; which others a
 * column has of its own, and all that mean it among texts, the model knows.
 */
export class TableColumn {
  readonly schema: ColumnSchema;
  readonly #missing: MissingTokens;
  readonly #isMissingNamed: boolean;
  readonly #numbers: NumberFormat;
  readonly #isNumeric: boolean;

  /** `isNumeric`: the column is an input of numbers, whatever stands in it beside them. */
  constructor(schema: ColumnSchema, table: TableWriting, { isNumeric }: { readonly isNumeric: boolean }) {
    this.schema = schema;
    this.#isNumeric = isNumeric && schema.dates === undefined && schema.type !== "boolean";
    this.#numbers = { decimal: table.decimal, thousands: table.thousands };
    this.#missing = new MissingTokens(table.missing);
    this.#isMissingNamed = table.isMissingNamed;
  }

  get name(): string {
    return this.schema.name;
  }

  /** JSON of what a text stands for in an input of numbers or truths: a number, a truth, a day in ISO 8601, null; else the text. */
  number(text: string): string {
    const plain = plainNumber(text, this.#numbers) ?? text.trim();
    const isNumber = decimal.test(plain);
    if (this.#missing.has(text) || (isNumber && this.#missing.hasNumber(Number(plain)))) return "null";
    const pattern = this.schema.dates === undefined ? undefined : datePattern(this.schema.dates);
    if (pattern !== undefined) {
      const date = readDate(text, pattern);
      if (date !== undefined) return date.iso === undefined ? "null" : JSON.stringify(date.iso);
    }
    if (isNumber) return jsonNumber.test(plain) ? plain : String(Number(plain));
    if (this.schema.type === "boolean") {
      const truth = booleanOf(text);
      if (truth !== undefined) return truth === 1 ? "true" : "false";
    }
    return JSON.stringify(text);
  }

  /** JSON of a text in an input of texts: as it stands, unless somebody said that it means "no value". */
  text(text: string): string {
    return this.#isMissingNamed && this.#missing.has(text) ? "null" : JSON.stringify(text);
  }

  /** JSON of what the cell holds, whatever the model. */
  value(text: string | undefined): string {
    if (text === undefined) return "null";
    const { type } = this.schema;
    if (type === "number" || this.#isNumeric) return this.number(text);
    if (this.#missing.has(text)) return "null";
    const truth = type === "boolean" ? booleanOf(text) : undefined;
    return truth === undefined ? JSON.stringify(text) : truth === 1 ? "true" : "false";
  }
}

/** The text of a cell; undefined when there is none. */
export function cellText(data: ColumnData, row: number): string | undefined {
  const value = valueAt(data, row);
  return value === undefined || typeof value === "string" ? value : String(value);
}
