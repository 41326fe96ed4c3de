import { dateKind } from "@aimass/core";
import { isoOf } from "../cells/date.ts";
import type { ColumnProfile, ColumnStatistics } from "./column-profile.ts";
import { dateWarnings } from "./date-warnings.ts";
import { type DateReading, type DatesGiven, DateWriting } from "./date-writing.ts";
import { numbersNameRows, textsNameRows } from "./id-column.ts";
import { Moments } from "./moments.ts";
import { numberWarnings } from "./number-warnings.ts";
import { ValueCounts } from "./value-counts.ts";
import { WrittenCounts } from "./written-counts.ts";

const frequentValues = 20;
const longestCategory = 128;
const surrogate = /[\ud800-\udbff]/;

/** Collects what a profile says about a column of numbers, texts and booleans. Types may mix until the column's is known. */
export class ColumnStatisticsCollector {
  readonly counts = new ValueCounts();
  readonly numbers = new Moments();
  readonly #written = new WrittenCounts(this.counts);
  texts = 0;
  booleans = 0;
  missing = 0;
  #trueCount = 0;
  #shortest = Number.POSITIVE_INFINITY;
  #longest = 0;
  #dates = true;
  #datetimes = true;
  readonly #given: DatesGiven;
  readonly #writing: DateWriting;
  #reading: DateReading = { kind: "none" };

  constructor(dates: DatesGiven = "unknown") {
    this.#given = dates;
    this.#writing = new DateWriting(dates === "unknown" || dates === "text" ? undefined : dates);
  }

  addNumber(value: number): void {
    this.numbers.add(value);
    this.counts.addNumber(value);
  }

  /** A number as it is written, in a column that may turn out to be of texts; `length` in characters. `text`: unless it is what JavaScript writes. */
  addWrittenNumber(value: number, length: number, text?: string): void {
    this.#written.addNumber(value, text);
    this.addNumber(value);
    this.addLength(length);
  }

  /** Whether `addWrittenNumber` still needs to know how numbers are written. */
  get countsWritings(): boolean {
    return this.#written.isCounting;
  }

  addText(text: string): void {
    this.texts++;
    this.#written.addText(text, this.numbers.count);
    this.counts.addText(text);
    this.addLength(surrogate.test(text) ? Array.from(text).length : text.length);
    this.#writing.add(text);
    if (!this.#dates && !this.#datetimes) return;
    const kind = dateKind(text);
    if (kind !== "date") this.#dates = false;
    if (kind === undefined) this.#datetimes = false;
  }

  /** In a column of numbers whose texts all turned out to mean "no value". */
  dropTexts(): void {
    this.missing += this.texts;
    this.texts = 0;
    this.counts.forgetTexts();
  }

  addBoolean(value: boolean, times = 1): void {
    this.booleans += times;
    if (value) this.#trueCount += times;
    this.counts.addText(value ? "true" : "false", times);
  }

  /** The profile of a column of numbers. */
  finishNumbers(name: string): ColumnProfile {
    const { count, minimum, maximum, mean, standardDeviation, integers } = this.numbers;
    const facts = { name, count, missing: this.missing, distinct: this.counts.distinct };
    const isId = numbersNameRows({ ...facts, integers, minimum, maximum });
    const statistics: ColumnStatistics =
      count === 0
        ? { kind: "empty" }
        : { kind: "number", minimum, maximum, mean, standardDeviation, integers, ...(isId && { looks: "id" }) };
    return { name, type: "number", count, statistics, ...this.#common() };
  }

  finishBooleans(name: string): ColumnProfile {
    const statistics: ColumnStatistics =
      this.booleans === 0 ? { kind: "empty" } : { kind: "boolean", trueCount: this.#trueCount };
    return { name, type: "boolean", count: this.booleans, statistics, ...this.#common() };
  }

  /** The profile of a column of strings, into which numbers seen before the first text count as texts. */
  finishTexts(name: string): ColumnProfile {
    const count = this.texts + this.numbers.count;
    const isIso = this.numbers.count === 0 && this.#datetimes;
    if (count > 0 && !isIso) this.#reading = this.#writing.finish(this.numbers.count);
    if (this.#reading.kind === "read" && this.#given !== "text") return this.#finishDates(name, this.#reading);
    const statistics: ColumnStatistics =
      count === 0
        ? { kind: "empty" }
        : {
            kind: "string",
            looks: this.#looks(name, count),
            shortest: this.#shortest,
            longest: this.#longest,
          };
    return { name, type: "string", count, statistics, ...this.#common(this.#written) };
  }

  /** Sentences about a finished column of texts or numbers that may not be read as it was meant. */
  warnings(profile: ColumnProfile): string[] {
    return profile.type === "number"
      ? numberWarnings(profile, this.counts)
      : dateWarnings(profile, this.#reading, this.#given);
  }

  #finishDates(name: string, reading: Extract<DateReading, { kind: "read" }>): ColumnProfile {
    const { pattern, hasTimes, invalid, shortest, longest } = reading;
    const times = new Map<string, number>();
    for (const { value, count } of this.counts.top(Number.POSITIVE_INFINITY)) {
      const iso = isoOf(value, pattern);
      if (iso !== undefined) times.set(iso, (times.get(iso) ?? 0) + count);
    }
    const values = [...times].map(([value, count]) => ({ value, count }));
    return {
      ...{ name, type: "string", count: this.texts - invalid, missing: this.missing + invalid, dates: pattern.name },
      distinct: { count: this.counts.exact ? times.size : this.counts.distinct, exact: this.counts.exact },
      frequent: {
        values: values.sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1)).slice(0, frequentValues),
        undercount: this.counts.undercount,
      },
      statistics: { kind: "string", looks: hasTimes ? "datetime" : "date", shortest, longest },
    };
  }

  /** A value's length in characters, where it was not told with the value. */
  addLength(length: number): void {
    if (length < this.#shortest) this.#shortest = length;
    if (length > this.#longest) this.#longest = length;
  }

  #looks(name: string, count: number): "date" | "datetime" | "id" | "category" | "text" {
    if (this.numbers.count === 0 && this.#dates) return "date";
    if (this.numbers.count === 0 && this.#datetimes) return "datetime";
    const { exact, count: distinct } = this.#written.distinct;
    const samples = this.#written.counts.top(frequentValues).map(({ value }) => value);
    const facts = { name, count, missing: this.missing, distinct, longest: this.#longest, samples };
    if (textsNameRows(facts)) return "id";
    const few = exact && (distinct <= 20 || distinct * 2 <= count);
    return few && this.#longest <= longestCategory ? "category" : "text";
  }

  #common(written?: WrittenCounts) {
    const { counts = this.counts } = written ?? {};
    return {
      missing: this.missing,
      distinct: written?.distinct ?? { count: counts.distinct, exact: counts.exact },
      frequent: { values: counts.top(frequentValues), undercount: counts.undercount },
    };
  }
}
