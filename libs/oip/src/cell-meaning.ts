import { ColumnKind, type ColumnMeaning } from "@aimass/api/registry";
import {
  type DatePattern,
  datePattern,
  datePatterns,
  isPlainFormat,
  type NumberFormat,
  plainNumber,
  readDate,
  saysNothing,
  timeOfIso,
} from "@aimass/core";

/** What the cells of an input's column mean, as they were read in training. `aimass.registry.v1.ColumnMeaning` in the words of this package. */
export interface CellMeaning {
  readonly kind: CellKind;
  /** Cells that mean "no value", as they stand. */
  readonly missing: readonly string[];
  /** Case and white space around them do not count. */
  readonly trueWords: readonly string[];
  readonly falseWords: readonly string[];
  /** How days and moments may be written beside ISO 8601; a name of @aimass/core's `datePatterns`. */
  readonly dates?: string | undefined;
  /** How texts write numbers, where that is not with a point alone. */
  readonly numbers?: NumberFormat | undefined;
}

export type CellKind = "number" | "boolean" | "category" | "text" | "date" | "datetime" | "id" | "image" | "unknown";

const dayMs = 86_400_000;
const decimal = /^[ \t]*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[ \t]*$/;
/** The year 1000 as YYYYMMDD. */
const leastCompact = 10_000_101;

const cellKinds: Record<ColumnKind, CellKind> = {
  [ColumnKind.UNSPECIFIED]: "unknown",
  [ColumnKind.NUMBER]: "number",
  [ColumnKind.BOOLEAN]: "boolean",
  [ColumnKind.CATEGORY]: "category",
  [ColumnKind.TEXT]: "text",
  [ColumnKind.DATE]: "date",
  [ColumnKind.DATETIME]: "datetime",
  [ColumnKind.ID]: "id",
  [ColumnKind.IMAGE]: "image",
};

/** A column of a signature in the words of this package. */
export function cellsOf(column: ColumnMeaning | undefined): CellMeaning | undefined {
  if (column === undefined) return undefined;
  const { missing, trueWords, falseWords } = column;
  const dates = column.datePattern || undefined;
  const numbers = { decimal: column.decimal || undefined, thousands: column.thousands || undefined };
  return { kind: cellKinds[column.kind] ?? "unknown", missing, trueWords, falseWords, dates, numbers };
}

/** Reads cells by what they mean. */
export class Cells {
  readonly kind: CellKind;
  readonly #missing: ReadonlySet<string>;
  readonly #missingNumbers: ReadonlySet<number>;
  readonly #words: ReadonlyMap<string, number>;
  readonly #dates: DatePattern | undefined;
  readonly #numbers: NumberFormat | undefined;

  constructor({ kind, missing, trueWords, falseWords, dates, numbers: format = {} }: CellMeaning) {
    this.kind = kind;
    this.#numbers = isPlainFormat(format) ? undefined : format;
    this.#dates = dates === undefined ? undefined : datePattern(dates);
    this.#missing = new Set(missing);
    const numbers = missing.filter((word) => word.trim() !== "").map(Number);
    this.#missingNumbers = new Set(numbers.filter(Number.isFinite));
    const plain = (word: string) => word.trim().toLowerCase();
    this.#words = new Map([
      ...trueWords.map((word) => [plain(word), 1] as const),
      ...falseWords.map((word) => [plain(word), 0] as const),
    ]);
  }

  /** Whether a text means "no value" in a column of texts: compared as it stands, as it was when the data were read. */
  isGap(text: string): boolean {
    return text === "" || this.#missing.has(text);
  }

  /** Whether a number means "no value". */
  isGapNumber(value: number): boolean {
    return this.#missingNumbers.has(value);
  }

  /** What a number stands for in a column of numbers; NaN: no value; undefined: nothing, as 2 does where all is true or false. */
  numberOf(value: number): number | undefined {
    if (this.isGapNumber(value) || Number.isNaN(value)) return Number.NaN;
    // Of data that write days as 20240201 a row has that as a number; as days since 1970 it would be tens of thousands of years off.
    if (this.kind === "date" && this.#dates?.separator === "" && value >= leastCompact) {
      return this.#timeOf(String(value), this.kind);
    }
    return this.kind === "boolean" && value !== 0 && value !== 1 ? undefined : value;
  }

  /** The number a text stands for, by the column's kind; NaN: no value; undefined: none. */
  numberOfText(text: string): number | undefined {
    const trimmed = text.trim();
    if (this.isGap(trimmed) || this.isGap(text)) return Number.NaN;
    switch (this.kind) {
      case "boolean":
        return this.#words.get(trimmed.toLowerCase()) ?? this.#decimalOf(text);
      case "date":
      case "datetime":
        return this.#timeOf(trimmed, this.kind) ?? this.#decimalOf(text) ?? this.#noDay(trimmed);
      default:
        return this.#decimalOf(text);
    }
  }

  /** A text as the model knows it; "" means no value. Where training read days of a pattern, they are ISO 8601, and what is none is no value. */
  textOf(text: string): string {
    if (this.isGap(text)) return "";
    if (this.#dates === undefined || numberOfIso(text, "datetime") !== undefined) return text;
    return readDate(text, this.#dates)?.iso ?? "";
  }

  /** A text that a column of days or moments takes, as its data write them. */
  get exampleDay(): string {
    const time = this.kind === "datetime" ? "T23:59:59Z" : "";
    return this.#dates === undefined ? `2024-12-31${time}` : writeDay(this.#dates);
  }

  /** What to write where days are not only taken in ISO 8601. */
  get datesRemedy(): string | undefined {
    if (this.#dates === undefined) return undefined;
    return `Write a day as ${this.#dates.name}, such as "${writeDay(this.#dates)}", or in ISO 8601, "2024-12-31", or null.`;
  }

  #timeOf(text: string, kind: "date" | "datetime"): number | undefined {
    const iso = numberOfIso(text, kind);
    if (iso !== undefined || this.#dates === undefined) return iso;
    const read = readDate(text, this.#dates)?.iso;
    return read === undefined ? undefined : numberOfIso(read, kind);
  }

  /** NaN of what says nothing and of a day that no calendar has, where the data had such cells or might have: no values then either. Undefined of other texts. */
  #noDay(text: string): number | undefined {
    const pattern = this.#dates;
    if (pattern === undefined) return undefined;
    if (saysNothing(text)) return Number.NaN;
    // A day of the other order is a mistake that its writer must hear of.
    const isOther = () => datePatterns.some((other) => readDate(text, other)?.iso !== undefined);
    return readDate(text, pattern) !== undefined && !isOther() ? Number.NaN : undefined;
  }

  #decimalOf(text: string): number | undefined {
    const plain = this.#numbers === undefined ? text : (plainNumber(text, this.#numbers) ?? text);
    const value = decimal.test(plain) ? Number(plain) : Number.NaN;
    return Number.isFinite(value) ? this.numberOf(value) : undefined;
  }
}

/** The last day of 2024. */
function writeDay({ name }: DatePattern): string {
  const parts = { YYYY: "2024", YY: "24", Month: "Dec", MM: "12", DD: "31" } as const;
  return name.replace(/YYYY|YY|Month|MM|DD/g, (part) => parts[part as keyof typeof parts]);
}

/** Days or seconds since 1970-01-01 in UTC of an ISO 8601 day or moment (without an offset: UTC); undefined when the text is none. */
function numberOfIso(text: string, kind: "date" | "datetime"): number | undefined {
  const ms = timeOfIso(text);
  if (Number.isNaN(ms)) return undefined;
  return kind === "date" ? Math.floor(ms / dayMs) : ms / 1000;
}
