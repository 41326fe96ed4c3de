import { AimassError } from "@aimass/core";
import { decodeUtf8 } from "./bytes-elements.ts";

/** Wire types of the protobuf encoding (https://protobuf.dev/programming-guides/encoding/). */
export const wire = { varint: 0, fixed64: 1, length: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const;

/** Longest name of a tensor, model or parameter, and longest id of a request, in bytes: they stand in answers, errors and logs. */
export const longestName = 4096;

/** Groups nested deeper than this are refused. */
const maxGroupDepth = 16;

/**
 * A cursor over a protobuf message. Every read stays below `end`; whatever is malformed throws INVALID_ARGUMENT with its byte position.
 * Submessages are read by moving `end`: `const outer = reader.enter(); …; reader.leave(outer)`.
 */
export class WireReader {
  readonly bytes: Buffer;
  at: number;
  end: number;
  /** High 32 bits of the varint read last by `varint64`. */
  high = 0;
  private readonly message: string;
  private readonly origin: number;

  constructor(bytes: Uint8Array, offset: number, message: string) {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = offset;
    this.origin = offset;
    this.end = bytes.byteLength;
    this.message = message;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  /** Field number × 8 + wire type. */
  tag(): number {
    const first = this.at < this.end ? (this.bytes[this.at] as number) : 0x80;
    if (first < 0x80) {
      this.at++;
      if (first < 8) throw this.malformed("a field numbered 0");
      return first;
    }
    const tag = this.varint64();
    if (this.high !== 0) throw this.malformed("a field number out of range");
    if (tag < 8) throw this.malformed("a field numbered 0");
    return tag;
  }

  /** Reads a varint of up to 64 bits: returns its low 32 bits unsigned and leaves the rest in `high`. */
  varint64(): number {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.at >= this.end) throw this.malformed("an unfinished number");
      const byte = this.bytes[this.at++] as number;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else {
        if (bits > 1) throw this.malformed("a number of more than 64 bits");
        high |= bits << 31;
      }
      if (byte < 0x80) {
        this.high = high >>> 0;
        return low >>> 0;
      }
    }
    throw this.malformed("a number of more than 10 bytes");
  }

  /** A signed 64-bit varint as a number: beyond ±2^53 the nearest one, which `Number.isSafeInteger` is false of. */
  int64AsNumber(): number {
    const low = this.varint64();
    return (this.high | 0) * 0x100000000 + low;
  }

  int64(): bigint {
    const low = this.varint64();
    return BigInt.asIntN(64, (BigInt(this.high) << 32n) | BigInt(low));
  }

  uint64(): bigint {
    const low = this.varint64();
    return (BigInt(this.high) << 32n) | BigInt(low);
  }

  boolean(): boolean {
    return this.varint64() !== 0 || this.high !== 0;
  }

  double(): number {
    this.need(8);
    const value = this.bytes.readDoubleLE(this.at);
    this.at += 8;
    return value;
  }

  /** A length prefix, checked against what is left. */
  length(): number {
    const first = this.at < this.end ? (this.bytes[this.at] as number) : 0x80;
    let length = first;
    if (first < 0x80) this.at++;
    else {
      length = this.varint64();
      if (this.high !== 0) throw this.malformed("a length out of range");
    }
    this.need(length);
    return length;
  }

  /** A length-prefixed field as a view. */
  view(): Buffer {
    const length = this.length();
    const start = this.at;
    this.at += length;
    return this.bytes.subarray(start, this.at);
  }

  /** A length-prefixed string. Throws when it is not UTF-8. */
  text(): string {
    const length = this.length();
    const start = this.at;
    this.at += length;
    const text = this.bytes.toString("utf8", start, this.at);
    if (text.includes("\ufffd") && decodeUtf8(this.bytes.subarray(start, this.at)) === undefined) {
      throw this.malformed("text that is not UTF-8");
    }
    return text;
  }

  /** `text` that names something. Throws for one that is longer than any name. */
  name(): string {
    const { at } = this;
    const length = this.length();
    if (length > longestName) throw this.malformed(`a name of ${length} bytes, more than ${longestName},`);
    this.at = at;
    return this.text();
  }

  /** Narrows the reader to the submessage that begins here; give the result to `leave`. */
  enter(): number {
    const length = this.length();
    const outer = this.end;
    this.end = this.at + length;
    return outer;
  }

  leave(outer: number): void {
    this.end = outer;
  }

  /** Passes over a field's value. */
  skip(tag: number, depth = 0): void {
    const type = tag & 7;
    if (type === wire.varint) this.varint64();
    else if (type === wire.length) this.advance(this.length());
    else if (type === wire.fixed32) this.advance(4);
    else if (type === wire.fixed64) this.advance(8);
    else if (type === wire.startGroup) this.skipGroup(tag >>> 3, depth + 1);
    else throw this.malformed(`a value of wire type ${type}`);
  }

  /** Throws unless a known field came with the wire type it must have. */
  expect(tag: number, type: number, field: string): void {
    if ((tag & 7) !== type) throw this.malformed(`${field} with wire type ${tag & 7} instead of ${type}`);
  }

  malformed(what: string): AimassError {
    const message = `The body is not a ${this.message} message: ${what} at byte ${this.at - this.origin}.`;
    return new AimassError("INVALID_ARGUMENT", message, {
      reason: "MALFORMED_MESSAGE",
      remedy: "Send one message of the Open Inference Protocol v2 in protobuf's binary form.",
    });
  }

  private skipGroup(field: number, depth: number): void {
    if (depth > maxGroupDepth) throw this.malformed("groups nested too deeply");
    for (;;) {
      const tag = this.tag();
      if ((tag & 7) === wire.endGroup) {
        if (tag >>> 3 !== field) throw this.malformed("the end of a group that never began");
        return;
      }
      this.skip(tag, depth);
    }
  }

  private advance(length: number): void {
    this.need(length);
    this.at += length;
  }

  private need(length: number): void {
    if (length > this.end - this.at) {
      throw this.malformed(`a value of ${length} bytes where ${Math.max(0, this.end - this.at)} are left`);
    }
  }
}
