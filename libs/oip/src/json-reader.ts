import { AimassError } from "@aimass/core";

/** What stands at a place of a JSON text. */
export type JsonKind = "list" | "object" | "string" | "number" | "boolean" | "null" | "nothing";

/** Where a value stands: bytes [start, end). */
export interface JsonRange {
  readonly start: number;
  readonly end: number;
}

/** Lists and objects inside each other; a tensor has 64 axes at most. */
const mostLevels = 128;
/** Digits whose product with a power of ten to 10^22 is one rounding (W. D. Clinger, "How to read floating point numbers accurately", 1990). */
const exactDigits = 15;
const powersOfTen = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);

const quote = 0x22;
const comma = 0x2c;
const minus = 0x2d;
const colon = 0x3a;
const openList = 0x5b;
const backslash = 0x5c;
const closeList = 0x5d;
const openObject = 0x7b;
const closeObject = 0x7d;

const nothing = -1;
const words = { true: Buffer.from("true"), false: Buffer.from("false"), null: Buffer.from("null") };
const nan = Buffer.from("NaN");
const infinity = Buffer.from("Infinity");

/**
 * Reads JSON (RFC 8259) in UTF-8 from its bytes, forward, without making anything of what nobody asks for: a body of any size takes no memory beside
 * itself. Numbers may also be the bare words NaN, Infinity and -Infinity, as Python's json and Triton's client write them. Every method throws
 * INVALID_ARGUMENT saying where the text breaks.
 */
export class JsonReader {
  readonly bytes: Uint8Array;
  at: number;
  /** The last number read, as the nearest double. */
  number = 0;
  /** Where the last number began; it ended at `at`. */
  numberStart = 0;
  /** Whether the last number was written as digits alone, with or without a minus sign. */
  isWhole = false;

  /** `bytes` must be UTF-8. A byte order mark is passed over. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  }

  /** What the next value is. */
  kind(): JsonKind {
    const byte = this.#next();
    switch (byte) {
      case openList:
        return "list";
      case openObject:
        return "object";
      case quote:
        return "string";
      case 0x74:
      case 0x66:
        return "boolean";
      case 0x6e:
        return "null";
      case nothing:
        return "nothing";
      default:
        return byte === minus || (byte >= 0x30 && byte <= 0x39) || byte === 0x4e || byte === 0x49
          ? "number"
          : "nothing";
    }
  }

  /** Goes into a list or an object. */
  enter(kind: "list" | "object"): void {
    if (this.#next() !== (kind === "list" ? openList : openObject)) throw this.broken();
    this.at++;
  }

  /** Whether another entry follows in the list or object that was entered; `isFirst` before the first. Goes past commas, and out at the end. */
  more(kind: "list" | "object", isFirst: boolean): boolean {
    const byte = this.#next();
    if (byte === (kind === "list" ? closeList : closeObject)) {
      this.at++;
      return false;
    }
    if (isFirst) return true;
    if (byte !== comma) throw this.broken();
    this.at++;
    return true;
  }

  /** Bytes of the next key without its quotes, escapes as they stand; goes past the colon. */
  key(): JsonRange {
    const range = this.rawString();
    if (this.#next() !== colon) throw this.broken();
    this.at++;
    return range;
  }

  /** Bytes of the next string without its quotes, escapes as they stand. */
  rawString(): JsonRange {
    const { bytes } = this;
    if (this.#next() !== quote) throw this.broken();
    const start = ++this.at;
    for (let at = start; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (byte === quote) {
        this.at = at + 1;
        return { start, end: at };
      }
      if (byte === backslash) at = this.#escape(at);
      else if (byte < 0x20) throw this.broken(at);
    }
    throw this.broken(bytes.length);
  }

  /** The next string. */
  string(): string {
    return this.text(this.rawString());
  }

  /** The text of a raw string. */
  text({ start, end }: JsonRange): string {
    const raw = Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, end - start);
    return raw.includes(backslash) ? (JSON.parse(`"${raw.toString()}"`) as string) : raw.toString();
  }

  /** The next value, which is true or false. */
  boolean(): boolean {
    const isTrue = this.#next() === 0x74;
    this.#word(isTrue ? words.true : words.false);
    return isTrue;
  }

  null(): void {
    this.#next();
    this.#word(words.null);
  }

  /** Reads the next value, which is a number, into `number`, `isWhole` and `numberStart`. */
  readNumber(): void {
    const { bytes } = this;
    this.#next();
    const start = this.at;
    this.numberStart = start;
    let at = start;
    const isNegative = bytes[at] === minus;
    if (isNegative) at++;
    const first = bytes[at] ?? 0;
    if (first === 0x4e || first === 0x49) {
      this.#readWord(at, isNegative);
      return;
    }
    let mantissa = 0;
    let digits = 0;
    let scale = 0;
    const whole = at;
    for (; isDigit(bytes[at]); at++) {
      if (mantissa !== 0 || bytes[at] !== 0x30) digits++;
      if (digits <= exactDigits) mantissa = mantissa * 10 + (bytes[at] as number) - 0x30;
    }
    if (at === whole || (first === 0x30 && at > whole + 1)) throw this.broken(at === whole ? at : whole + 1);
    this.isWhole = true;
    if (bytes[at] === 0x2e) {
      this.isWhole = false;
      const point = ++at;
      for (; isDigit(bytes[at]); at++) {
        if (mantissa !== 0 || bytes[at] !== 0x30) digits++;
        if (digits <= exactDigits) mantissa = mantissa * 10 + (bytes[at] as number) - 0x30;
      }
      if (at === point) throw this.broken(at);
      scale = point - at;
    }
    if (bytes[at] === 0x65 || bytes[at] === 0x45) {
      this.isWhole = false;
      at++;
      const isSmall = bytes[at] === minus;
      if (isSmall || bytes[at] === 0x2b) at++;
      const from = at;
      let exponent = 0;
      for (; isDigit(bytes[at]); at++) exponent = Math.min(exponent * 10 + (bytes[at] as number) - 0x30, 100_000);
      if (at === from) throw this.broken(at);
      scale += isSmall ? -exponent : exponent;
    }
    this.at = at;
    if (digits > exactDigits || scale > 22 || scale < -22) {
      this.number = Number(this.ascii(start, at));
      return;
    }
    const magnitude =
      scale < 0 ? mantissa / (powersOfTen[-scale] as number) : mantissa * (powersOfTen[scale] as number);
    this.number = isNegative ? -magnitude : magnitude;
  }

  /** The last number as a whole one, exactly; undefined when it has a fraction, is not finite, or is beyond 2^53 and written with an exponent. */
  wholeNumber(): bigint | undefined {
    if (Number.isSafeInteger(this.number)) return BigInt(this.number);
    return this.isWhole ? BigInt(this.ascii(this.numberStart, this.at)) : undefined;
  }

  /** What stands in a range, as it is written. */
  source({ start, end }: JsonRange): string {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, end - start).toString();
  }

  ascii(start: number, end: number): string {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, end - start).toString("latin1");
  }

  /** Goes past one value, checking it. */
  skip(): JsonRange {
    this.#next();
    const start = this.at;
    const isObject: boolean[] = [];
    let isFirst = false;
    for (;;) {
      const kind = this.kind();
      if (kind === "list" || kind === "object") {
        if (isObject.length === mostLevels) throw badJson(`it has more than ${mostLevels} lists in each other`);
        this.at++;
        isObject.push(kind === "object");
        isFirst = true;
      } else {
        this.#scalar(kind);
        isFirst = false;
      }
      for (;;) {
        const inObject = isObject.at(-1);
        if (inObject === undefined) return { start, end: this.at };
        if (this.more(inObject ? "object" : "list", isFirst)) {
          if (inObject) this.key();
          break;
        }
        isObject.pop();
        isFirst = false;
      }
    }
  }

  /** How many lists begin here, one in the other: the rank of what stands here. */
  nesting(): number {
    const { at } = this;
    let levels = 0;
    while (this.#next() === openList && levels <= mostLevels) {
      this.at++;
      levels++;
    }
    this.at = at;
    return levels;
  }

  /** Throws unless nothing but white space is left. */
  finish(): void {
    if (this.#next() !== nothing) throw this.broken();
  }

  /** The refusal of what stands at `at`. */
  broken(at = this.at): AimassError {
    const { bytes } = this;
    if (at >= bytes.length) return badJson("it ends too early");
    const from = Math.max(0, at - 12);
    const around = Buffer.from(bytes.subarray(from, at + 12)).toString();
    const character = [...Buffer.from(bytes.subarray(at, at + 4)).toString()][0] ?? "";
    const [left, right] = [from > 0 ? "…" : "", at + 12 < bytes.length ? "…" : ""];
    return badJson(`it breaks at '${character}' in ${JSON.stringify(`${left}${around}${right}`)}, byte ${at}`);
  }

  #scalar(kind: JsonKind): void {
    switch (kind) {
      case "string":
        this.rawString();
        return;
      case "number":
        this.#skipNumber();
        return;
      case "boolean":
        this.boolean();
        return;
      case "null":
        this.null();
        return;
      default:
        throw this.broken();
    }
  }

  /** As `readNumber`, without its value. */
  #skipNumber(): void {
    const { bytes } = this;
    const start = this.at;
    let at = start;
    if (bytes[at] === minus) at++;
    const first = bytes[at] ?? 0;
    if (first === 0x4e || first === 0x49) {
      this.#readWord(at, at > start);
      return;
    }
    const whole = at;
    while (isDigit(bytes[at])) at++;
    if (at === whole || (first === 0x30 && at > whole + 1)) throw this.broken(at === whole ? at : whole + 1);
    if (bytes[at] === 0x2e) {
      const point = ++at;
      while (isDigit(bytes[at])) at++;
      if (at === point) throw this.broken(at);
    }
    if (bytes[at] === 0x65 || bytes[at] === 0x45) {
      at++;
      if (bytes[at] === minus || bytes[at] === 0x2b) at++;
      const from = at;
      while (isDigit(bytes[at])) at++;
      if (at === from) throw this.broken(at);
    }
    this.at = at;
  }

  /** NaN or Infinity at `at`. */
  #readWord(at: number, isNegative: boolean): void {
    const isNan = this.bytes[at] === 0x4e && !isNegative;
    this.at = at;
    this.#word(isNan ? nan : infinity);
    this.isWhole = false;
    this.number = isNan ? Number.NaN : isNegative ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }

  #word(word: Uint8Array): void {
    for (let i = 0; i < word.length; i++) if (this.bytes[this.at + i] !== word[i]) throw this.broken(this.at);
    this.at += word.length;
  }

  /** Index of an escape's last byte. */
  #escape(at: number): number {
    const byte = this.bytes[at + 1] ?? 0;
    if (byte !== 0x75) {
      if ('"\\/bfnrt'.includes(String.fromCharCode(byte)) && byte !== 0) return at + 1;
      throw this.broken(at + 1);
    }
    for (let i = at + 2; i < at + 6; i++) {
      const digit = this.bytes[i] ?? 0;
      const isHex = isDigit(digit) || ((digit | 0x20) >= 0x61 && (digit | 0x20) <= 0x66);
      if (!isHex) throw this.broken(i);
    }
    return at + 5;
  }

  /** Goes past white space; the byte there, or -1 at the end. */
  #next(): number {
    const { bytes } = this;
    let { at } = this;
    let byte = bytes[at];
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++at];
    this.at = at;
    return byte ?? nothing;
  }
}

/** A kind in a sentence: "an object", "null". */
export function shownKind(kind: JsonKind): string {
  if (kind === "null" || kind === "nothing") return kind;
  return kind === "object" ? "an object" : `a ${kind}`;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

export function badJson(what: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", `The body is not the JSON of a request: ${what}.`, {
    reason: "MALFORMED_JSON",
    remedy: "Send one JSON object in UTF-8.",
  });
}
