import type { NumberFormat } from "@aimass/core";
import { badCell, inShell, keepAsText } from "../cells/bad-cell.ts";
import type { MissingTokens } from "../cells/cell-values.ts";
import { numberLookalike } from "../cells/lookalike.ts";
import { keptDigits, lostDigits, roundedDigits, textForDigits } from "../cells/lost-digits.ts";
import { NumberParser } from "../cells/number-parser.ts";
import { TextCache } from "../cells/text-cache.ts";
import { listed, quote } from "../schema.ts";
import { ColumnStatisticsCollector } from "./column-statistics.ts";
import type { InferredColumn } from "./inference.ts";
import { mostMissingWords, ownMissingWords } from "./own-missing.ts";

interface Place {
  readonly row: number;
  readonly line: number | undefined;
  readonly text: string;
}

const mostlyNumbers = 0.9;

/** Spares most numbers the look at their digits. */
function mayKeepDigits({ significant, value }: NumberParser): boolean {
  return significant <= keptDigits.always || (significant <= keptDigits.most && Math.abs(value) < 2 ** 53);
}

/**
 * Finds the type of a column of delimited text. All numbers: number. All true or false: boolean. Else string. Numbers that would lose
 * something (leading zeros, whole numbers beyond 2^53) make a column a string. A column of numbers with a few numbers that people write otherwise
 * ("1,234", "5 %") is refused at the first of them.
 */
export class TextColumnInference {
  readonly #name: string;
  readonly #missing: MissingTokens;
  readonly #parser: NumberParser;
  readonly #cache = new TextCache();
  readonly #statistics = new ColumnStatisticsCollector();
  readonly #guessesMissing: boolean;
  #words: Map<string, number> | undefined = new Map();
  #truths = 0;
  #lookalikes = 0;
  #coded = 0;
  #firstText: Place | undefined;
  #firstCoded: Place | undefined;
  #firstRounded: Place | undefined;
  #firstLookalike: Place | undefined;

  /** `guessesMissing`: whether words among numbers may turn out to mean "no value". */
  constructor(name: string, missing: MissingTokens, guessesMissing: boolean, numbers: NumberFormat = {}) {
    this.#parser = new NumberParser(numbers);
    this.#name = name;
    this.#guessesMissing = guessesMissing;
    this.#missing = missing;
  }

  /** Takes in the cell of UTF-8 bytes [start, end). */
  cell(bytes: Buffer, start: number, end: number, row: number, line: number | undefined): void {
    const statistics = this.#statistics;
    if (start === end && this.#missing.empty) {
      statistics.missing++;
      return;
    }
    const parser = this.#parser;
    if (!parser.parse(bytes, start, end)) {
      this.text(this.#cache.text(bytes, start, end), row, line);
      return;
    }
    if (this.#missing.numeric && this.#missing.hasNumber(parser.value)) statistics.missing++;
    else if (parser.leadingZero || (parser.integer && !Number.isSafeInteger(parser.value))) {
      this.#addCoded({ row, line, text: this.#cache.text(bytes, start, end) });
    } else if (mayKeepDigits(parser)) {
      const isAsked = !parser.usual && statistics.countsWritings;
      statistics.addWrittenNumber(parser.value, end - start, isAsked ? this.#cache.text(bytes, start, end) : undefined);
    } else this.#addLong({ row, line, text: bytes.toString("latin1", start, end) }, parser.value);
  }

  /** Takes in a cell that is no number. */
  text(text: string, row: number, line: number | undefined): void {
    const statistics = this.#statistics;
    if (this.#missing.has(text)) {
      statistics.missing++;
      return;
    }
    statistics.addText(text);
    this.#countWord(text);
    this.#firstText ??= { row, line, text };
    if (/^(true|false)$/i.test(text)) this.#truths++;
    else if (numberLookalike(text) !== undefined) {
      this.#lookalikes++;
      this.#firstLookalike ??= { row, line, text };
    }
  }

  finish(): InferredColumn {
    const { texts, numbers, missing } = this.#statistics;
    if (texts === 0 && numbers.count > 0) return this.#asNumbers();
    if (texts > 0 && texts === this.#truths && numbers.count === 0) return this.#asBooleans();
    const missingWords = this.#missingWords();
    if (missingWords.length > 0) return this.#asNumbersWithGaps(missingWords);
    const plain = texts - this.#lookalikes - this.#coded;
    if (plain === 0 && this.#lookalikes > 0 && numbers.count > this.#lookalikes) throw this.#refusal();
    const profile = this.#statistics.finishTexts(this.#name);
    const dates = this.#statistics.warnings(profile);
    const none = [`Column ${quote(this.#name)} has no value in ${missing} rows.`];
    return { profile, warnings: texts === 0 ? none : dates.length > 0 || profile.dates ? dates : this.#warnings() };
  }

  #addLong(place: Place, value: number): void {
    const lost = lostDigits(this.#parser.plain(place.text), value);
    if (lost === "whole") {
      this.#addCoded(place);
      return;
    }
    if (lost === "fraction") this.#firstRounded ??= place;
    this.#statistics.addWrittenNumber(value, place.text.length, place.text);
  }

  #addCoded(place: Place): void {
    this.#statistics.addText(place.text);
    this.#coded++;
    this.#firstCoded ??= place;
  }

  #asNumbers(): InferredColumn {
    const rounded = this.#firstRounded;
    const profile = this.#statistics.finishNumbers(this.#name);
    const digits = rounded === undefined ? [] : [roundedDigits(this.#name, rounded.text.trim())];
    return { profile, warnings: [...digits, ...this.#statistics.warnings(profile)] };
  }

  #countWord(text: string): void {
    if (this.#words === undefined) return;
    const word = text.trim();
    this.#words.set(word, (this.#words.get(word) ?? 0) + 1);
    if (this.#words.size > mostMissingWords) this.#words = undefined;
  }

  #missingWords(): readonly string[] {
    if (!this.#guessesMissing || this.#coded + this.#lookalikes + this.#truths > 0) return [];
    const { numbers, counts } = this.#statistics;
    const distinctNumbers = counts.distinct - (this.#words?.size ?? 0);
    return ownMissingWords({ words: this.#words, numbers: numbers.count, distinctNumbers, integers: numbers.integers });
  }

  #asNumbersWithGaps(missingWords: readonly string[]): InferredColumn {
    const { texts, numbers } = this.#statistics;
    const rows = texts + numbers.count + this.#statistics.missing;
    const said = `Column ${quote(this.#name)} is read as numbers: ${listed(missingWords)} in ${texts} of ${rows} rows counts as missing.`;
    this.#statistics.dropTexts();
    const { profile, warnings } = this.#asNumbers();
    return { profile: { ...profile, missingWords }, warnings: [`${said} ${keepAsText(this.#name)}`, ...warnings] };
  }

  #asBooleans(): InferredColumn {
    const booleans = new ColumnStatisticsCollector();
    booleans.missing = this.#statistics.missing;
    for (const { value, count } of this.#statistics.counts.top(Number.POSITIVE_INFINITY)) {
      booleans.addBoolean(value.toLowerCase() === "true", count);
    }
    return { profile: booleans.finishBooleans(this.#name), warnings: [] };
  }

  #refusal(): Error {
    const { row, line, text } = this.#firstLookalike as Place;
    const { problem, remedy } = numberLookalike(text) as { problem: string; remedy: string };
    return badCell({
      row,
      line,
      column: this.#name,
      value: text,
      problem: `${problem}, while most of the column are plain numbers`,
      remedy: `${remedy} ${keepAsText(this.#name)}`,
    });
  }

  #warnings(): string[] {
    const { texts, numbers } = this.#statistics;
    const name = quote(this.#name);
    const said = (place: Place) => `${quote(place.text)} in row ${place.row}`;
    if (this.#firstCoded !== undefined && this.#coded === texts) {
      return [textForDigits(this.#name, this.#firstCoded.text, this.#firstCoded.row)];
    }
    if (this.#firstLookalike !== undefined && this.#lookalikes === texts) {
      const { problem } = numberLookalike(this.#firstLookalike.text) as { problem: string };
      const remedy = /decimal comma/.test(problem)
        ? " Read it as numbers: --decimal , (in the API: read.decimal)."
        : "";
      return [`Column ${name} is read as text: ${said(this.#firstLookalike)} ${problem}.${remedy}`];
    }
    const share = numbers.count / (numbers.count + texts);
    if (share < mostlyNumbers || this.#firstText === undefined) return [];
    return [
      `Column ${name} is read as text because of ${texts} of ${numbers.count + texts} values; the first is ${said(this.#firstText)}. If it means "no value", say so: --missing ${inShell(this.#firstText.text)} (in the API: read.missing).`,
    ];
  }
}
