import { type DateOrder, type DatePattern, datePatterns, type ReadDate, readDate, saysNothing } from "@aimass/core";

/** What is known of a column's dates before it is read: nothing, that it is text, or that they are dates, and what comes first in them. */
export type DatesGiven = "unknown" | "text" | DateOrder;

/** How the texts of a column write days. */
export type DateReading =
  /** They are no days, or too few of them are. */
  | { readonly kind: "none" }
  | {
      readonly kind: "read";
      readonly pattern: DatePattern;
      readonly hasTimes: boolean;
      /** Texts that no calendar has, and signs such as "?". */
      readonly invalid: number;
      readonly firstInvalid: string | undefined;
      /** Characters of the days as they are read, in ISO 8601. */
      readonly shortest: number;
      readonly longest: number;
    }
  /** The same texts are other days in each of these. */
  | { readonly kind: "ambiguous"; readonly patterns: readonly DatePattern[]; readonly example: string }
  /** Written in more than one way. */
  | { readonly kind: "mixed"; readonly examples: readonly [string, string] }
  /** By one pattern, but for texts that are no days. */
  | { readonly kind: "spoilt"; readonly pattern: DatePattern; readonly others: number; readonly example: string };

/** How often a pattern fits. */
interface Tally {
  fits: number;
  invalid: number;
  firstInvalid: string | undefined;
  times: number;
  shortest: number;
  longest: number;
}

const mostOthers = 0.1;
/** Looked at before a column counts as one of other texts. */
const leniency = 3;
/** Eight digits are a day of these years, or a code. */
const compactYears = { first: 1800, last: 2200 } as const;

/** Finds the one pattern by which the texts of a column are days. What could be read in two ways is not guessed. */
export class DateWriting {
  readonly #among: readonly DatePattern[];
  readonly #order: DateOrder | undefined;
  readonly #tallies = new Map<DatePattern, Tally>();
  /** A text that only this order can read. */
  readonly #proofs = new Map<DateOrder | "year last", string>();
  #given = 0;
  #signs = 0;
  #others = 0;
  #firstText: string | undefined;
  #firstSign: string | undefined;
  #firstOther: string | undefined;
  #firstForeign: string | undefined;
  #isOver = false;

  /** `order`: as it is declared. */
  constructor(order?: DateOrder) {
    this.#order = order;
    this.#among = datePatterns.filter((pattern) => order === undefined || pattern.order === order);
  }

  add(text: string): void {
    if (this.#isOver) return;
    this.#given++;
    if (this.#fits(text)) return;
    if (saysNothing(text)) {
      this.#signs++;
      this.#firstSign ??= text;
      return;
    }
    this.#others++;
    this.#firstOther ??= text;
    this.#isOver = this.#order === undefined && this.#others > leniency + mostOthers * this.#given;
  }

  /** `numbers`: cells of the column that are plain numbers. */
  finish(numbers: number): DateReading {
    if (this.#isOver || this.#tallies.size === 0) return { kind: "none" };
    if (this.#firstForeign !== undefined)
      return { kind: "mixed", examples: [this.#firstText as string, this.#firstForeign] };
    const pattern = this.#decide();
    if ("kind" in pattern) return pattern;
    const { fits, invalid, firstInvalid, times, shortest, longest } = this.#tallies.get(pattern) as Tally;
    const others = this.#others + numbers;
    const isMostly = others <= mostOthers * (fits + others);
    if (others > 0 && !isMostly) return { kind: "none" };
    if (others > 0) return { kind: "spoilt", pattern, others, example: this.#firstOther ?? "a number" };
    if (!this.#isBelievable(pattern, fits, invalid)) {
      return invalid === fits
        ? { kind: "none" }
        : { kind: "spoilt", pattern, others: invalid, example: firstInvalid ?? "" };
    }
    return {
      ...{ kind: "read", pattern, hasTimes: times > 0, shortest, longest },
      ...{ invalid: invalid + this.#signs, firstInvalid: firstInvalid ?? this.#firstSign },
    };
  }

  /** Whether the text is a date; of another pattern than those before, too. */
  #fits(text: string): boolean {
    const isFirst = this.#tallies.size === 0;
    let fits = false;
    for (const pattern of isFirst ? this.#among : this.#tallies.keys()) {
      const read = readDate(text, pattern);
      if (read === undefined || (isFirst && pattern.separator === "" && !isOfOurTime(read))) continue;
      fits = true;
      this.#count(pattern, read, text);
    }
    if (fits) {
      this.#firstText ??= text;
      return true;
    }
    const isForeign = !isFirst && this.#among.some((pattern) => readDate(text, pattern)?.iso !== undefined);
    if (isForeign) this.#firstForeign ??= text;
    return isForeign;
  }

  #count(pattern: DatePattern, { iso, hasTime, parts }: ReadDate, text: string): void {
    const tally = this.#tallies.get(pattern) ?? newTally();
    this.#tallies.set(pattern, tally);
    tally.fits++;
    if (hasTime) tally.times++;
    if (iso === undefined) {
      tally.invalid++;
      tally.firstInvalid ??= text;
    } else {
      tally.shortest = Math.min(tally.shortest, iso.length);
      tally.longest = Math.max(tally.longest, iso.length);
    }
    if (parts !== undefined) this.#prove(pattern, parts, text);
  }

  #prove({ order, yearDigits }: DatePattern, [first, second, third]: readonly number[], text: string): void {
    const proves = (what: DateOrder | "year last") => {
      if (!this.#proofs.has(what)) this.#proofs.set(what, text);
    };
    const isPart = (value: number | undefined) => value !== undefined && value >= 1 && value <= 12;
    if (order === "YMD") {
      if (yearDigits === 2 && (first ?? 0) > 31) proves("YMD");
    } else {
      if ((first ?? 0) > 12 && (first ?? 0) <= 31 && isPart(second)) proves("DMY");
      if ((second ?? 0) > 12 && (second ?? 0) <= 31 && isPart(first)) proves("MDY");
      if (yearDigits === 2 && ((third ?? 0) > 31 || third === 0)) proves("year last");
    }
  }

  #decide(): DatePattern | DateReading {
    const most = Math.max(...[...this.#tallies.values()].map(({ fits }) => fits));
    const all = [...this.#tallies.keys()].filter((pattern) => this.#tallies.get(pattern)?.fits === most);
    const isYearFirst = this.#proofs.has("YMD") && !this.#proofs.has("year last");
    const isYearLast = this.#proofs.has("year last") || all.every(({ separator }) => separator === ".");
    const rivals = all.filter(({ order }) => (order === "YMD" ? !isYearLast || all.length === 1 : !isYearFirst));
    const [dayFirst, monthFirst] = [this.#proofs.get("DMY"), this.#proofs.get("MDY")];
    const bothWays = rivals.some(({ order }) => order === "DMY") && rivals.some(({ order }) => order === "MDY");
    if (bothWays && dayFirst !== undefined && monthFirst !== undefined) {
      return { kind: "mixed", examples: [dayFirst, monthFirst] };
    }
    const left = rivals.filter(
      ({ order }) =>
        !(bothWays && ((order === "MDY" && dayFirst !== undefined) || (order === "DMY" && monthFirst !== undefined))),
    );
    if (left.length === 1) return left[0] as DatePattern;
    const believable = left.filter((pattern) => {
      const { fits, invalid } = this.#tallies.get(pattern) as Tally;
      return this.#isBelievable(pattern, fits, invalid);
    });
    if (believable.length === 0) return { kind: "none" };
    return { kind: "ambiguous", patterns: left, example: this.#firstText as string };
  }

  /** A column that a person declared has one day at least; another has days mostly, and only days where its texts could be codes or versions. */
  #isBelievable({ separator, yearDigits }: DatePattern, fits: number, invalid: number): boolean {
    if (this.#order !== undefined) return invalid < fits;
    if (separator === "") return invalid === 0;
    return yearDigits === 2 ? invalid <= mostOthers * fits : invalid * 2 < fits;
  }
}

function newTally(): Tally {
  const lengths = { shortest: Number.POSITIVE_INFINITY, longest: 0 };
  return { fits: 0, invalid: 0, firstInvalid: undefined, times: 0, ...lengths };
}

function isOfOurTime({ iso }: ReadDate): boolean {
  const year = Number(iso?.slice(0, 4) ?? Number.NaN);
  return year >= compactYears.first && year <= compactYears.last;
}
