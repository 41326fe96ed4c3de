import type { CellKind, Cells } from "./cell-meaning.ts";
import type { Datatype } from "./datatype.ts";
import { type ByteBudget, type ElementPlace, type ElementSink, FixedSink } from "./element-sink.ts";
import { toBf16, toFp16 } from "./half.ts";
import type { JsonReader } from "./json-reader.ts";
import type { FixedDatatype } from "./tensor.ts";

export interface SinkOptions {
  readonly place: ElementPlace;
  readonly budget: ByteBudget;
  readonly capacity: number;
  /** Whether the values are cells of a table: a gap is NaN, true is 1 and false 0; undefined: elements as the protocol writes them. */
  readonly cells?: Cells | "any" | undefined;
}

/** Whole numbers each type holds. */
const ranges: Partial<Record<Datatype, readonly [least: number, most: number]>> = {
  UINT8: [0, 0xff],
  UINT16: [0, 0xffff],
  UINT32: [0, 0xffffffff],
  INT8: [-0x80, 0x7f],
  INT16: [-0x8000, 0x7fff],
  INT32: [-0x80000000, 0x7fffffff],
};

const bigRanges: Partial<Record<Datatype, readonly [least: bigint, most: bigint]>> = {
  INT64: [-(2n ** 63n), 2n ** 63n - 1n],
  UINT64: [0n, 2n ** 64n - 1n],
};

const nonFinite: ReadonlyMap<string, number> = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
]);

const time = "Write an ISO 8601 day or moment, such as 2026-01-31 or 2026-01-31T08:00:00Z.";

/** What to write in a column of a kind. */
const remedies: Partial<Record<CellKind, string>> = {
  boolean: "Write true or false, 1 or 0, or null.",
  date: time,
  datetime: time,
};

/** The sink for a data type of numbers or BOOL. */
export function numberSink(datatype: FixedDatatype, options: SinkOptions): ElementSink {
  if (datatype === "INT64" || datatype === "UINT64") return new BigSink(datatype, options);
  if (datatype === "BOOL") return new BooleanSink(datatype, options);
  return datatype.startsWith("FP") || datatype === "BF16"
    ? new FloatSink(datatype, options)
    : new WholeSink(datatype, options);
}

/** A text as a refusal shows it. */
export function shownText(text: string): string {
  return `the string ${JSON.stringify(text.length > 40 ? `${text.slice(0, 37)}…` : text)}`;
}

/** FP16, BF16, FP32 and FP64. null is NaN, as JavaScript writes it. */
class FloatSink extends FixedSink<Float64Array> {
  readonly #cells: SinkOptions["cells"];
  readonly #encode: ((value: number) => number) | undefined;

  constructor(datatype: FixedDatatype, options: SinkOptions) {
    super(datatype, options);
    this.#cells = options.cells;
    this.#encode = datatype === "FP16" ? toFp16 : datatype === "BF16" ? toBf16 : undefined;
  }

  protected number(reader: JsonReader): void {
    const written = () => reader.ascii(reader.numberStart, reader.at);
    // Digits that no double holds, as infinity they would be another number.
    if (Math.abs(reader.number) === Number.POSITIVE_INFINITY && !written().endsWith("y")) this.#refuse(written());
    const value = typeof this.#cells === "object" ? this.#cells.numberOf(reader.number) : reader.number;
    this.#add(value ?? this.#refuse(written()));
  }

  protected cell(text: string): void {
    const value = typeof this.#cells === "object" ? this.#cells.numberOfText(text) : undefined;
    const word = this.#kind === "boolean" ? undefined : nonFinite.get(text);
    this.#add(value ?? word ?? this.#refuse(shownText(text)));
  }

  protected boolean(value: boolean): void {
    const isNone = this.#cells === undefined || this.#kind === "date" || this.#kind === "datetime";
    this.#add(isNone ? this.#refuse("a boolean") : Number(value));
  }

  protected gap(): void {
    this.#add(Number.NaN);
  }

  #add(value: number): void {
    this.makeRoom();
    this.elements[this.count] = this.#encode === undefined ? value : this.#encode(value);
  }

  get #kind(): CellKind | undefined {
    return typeof this.#cells === "object" ? this.#cells.kind : undefined;
  }

  #refuse(is: string): never {
    const kind = this.#kind ?? "unknown";
    const dates = typeof this.#cells === "object" ? this.#cells.datesRemedy : undefined;
    throw this.refusal(is, dates ?? remedies[kind] ?? 'Elements are numbers, null or "NaN", "Infinity", "-Infinity".');
  }
}

/** What sinks of whole numbers have in common: there is no element that says "no value". */
abstract class ExactSink<A extends Int32Array | BigInt64Array | Uint8Array> extends FixedSink<A> {
  protected readonly cells: SinkOptions["cells"];

  constructor(datatype: FixedDatatype, options: SinkOptions) {
    super(datatype, options);
    this.cells = options.cells;
  }

  protected number(reader: JsonReader): void {
    const written = () => reader.ascii(reader.numberStart, reader.at);
    if (typeof this.cells === "object") {
      if (this.cells.isGapNumber(reader.number)) throw this.#noGaps();
      if (this.cells.numberOf(reader.number) === undefined) throw this.refusal(written(), this.takes());
    }
    this.add(reader.wholeNumber(), written);
  }

  protected cell(text: string): void {
    if (typeof this.cells !== "object") throw this.refusal(shownText(text), this.takes());
    const value = this.cells.numberOfText(text);
    if (value !== undefined && Number.isNaN(value)) throw this.#noGaps();
    this.add(wholeOf(text, value), () => shownText(text));
  }

  protected boolean(value: boolean): void {
    if (this.cells === undefined) throw this.refusal("a boolean", this.takes());
    this.add(value ? 1n : 0n, () => "a boolean");
  }

  protected gap(): void {
    if (this.cells === undefined) throw this.refusal("null", this.takes());
    throw this.#noGaps();
  }

  /** Takes in a whole number; undefined is none. */
  protected abstract add(value: bigint | undefined, shown: () => string): void;
  /** What the elements are, for refusals. */
  protected abstract takes(): string;

  #noGaps() {
    return this.refusal("missing", `${this.datatype} has no element that says "no value": give every row one.`);
  }
}

/** A text's whole number, with all its digits. */
function wholeOf(text: string, value: number | undefined): bigint | undefined {
  if (value === undefined || Number.isSafeInteger(value)) return value === undefined ? undefined : BigInt(value);
  return /^[ \t]*[+-]?\d+[ \t]*$/.test(text) ? BigInt(text.trim().replace(/^\+/, "")) : undefined;
}

class WholeSink extends ExactSink<Int32Array> {
  protected override number(reader: JsonReader): void {
    const { number } = reader;
    if (typeof this.cells === "object" || !this.#holds(number)) super.number(reader);
    else {
      this.makeRoom();
      this.elements[this.count] = number;
    }
  }

  protected add(value: bigint | undefined, shown: () => string): void {
    const number = Number(value ?? Number.NaN);
    if (!this.#holds(number)) throw this.refusal(shown(), this.takes());
    this.makeRoom();
    this.elements[this.count] = number;
  }

  protected takes(): string {
    const [least, most] = ranges[this.datatype] as readonly [number, number];
    return `Elements of ${this.datatype} are whole numbers from ${least} to ${most}.`;
  }

  #holds(number: number): boolean {
    const [least, most] = ranges[this.datatype] as readonly [number, number];
    return Number.isInteger(number) && number >= least && number <= most;
  }
}

class BigSink extends ExactSink<BigInt64Array> {
  protected add(value: bigint | undefined, shown: () => string): void {
    const [least, most] = bigRanges[this.datatype] as readonly [bigint, bigint];
    if (value === undefined || value < least || value > most) throw this.refusal(shown(), this.takes());
    this.makeRoom();
    this.elements[this.count] = value;
  }

  protected takes(): string {
    const [least, most] = bigRanges[this.datatype] as readonly [bigint, bigint];
    return `Elements of ${this.datatype} are whole numbers from ${least} to ${most}.`;
  }
}

/** BOOL takes true, false, 1 and 0. */
class BooleanSink extends ExactSink<Uint8Array> {
  protected add(value: bigint | undefined, shown: () => string): void {
    if (value !== 0n && value !== 1n) throw this.refusal(shown(), this.takes());
    this.makeRoom();
    this.elements[this.count] = Number(value);
  }

  protected override boolean(value: boolean): void {
    this.add(value ? 1n : 0n, () => "a boolean");
  }

  protected takes(): string {
    return "Elements of BOOL are true or false.";
  }
}
