/** Bytes a number takes as a varint, for whole numbers from 0 to 2^53 − 1. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** A growing protobuf message in one buffer. `begin`/`finish` write a submessage whose length is not known before. */
export class WireWriter {
  private bytes: Buffer;
  private at: number;

  /** `capacity` is a guess of the final size; `reserved` bytes are left free at the start. */
  constructor(capacity: number, reserved = 0) {
    this.bytes = Buffer.allocUnsafe(Math.max(64, capacity + reserved));
    this.at = reserved;
  }

  /** The message so far, reserved bytes included. */
  done(): Buffer {
    return this.bytes.subarray(0, this.at);
  }

  varint(value: number): void {
    this.room(10);
    let rest = value;
    while (rest > 127) {
      this.bytes[this.at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.at++] = rest;
  }

  /** A 64-bit varint; negative numbers take ten bytes. */
  bigVarint(value: bigint): void {
    this.room(10);
    let rest = BigInt.asUintN(64, value);
    while (rest > 127n) {
      this.bytes[this.at++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    this.bytes[this.at++] = Number(rest);
  }

  double(value: number): void {
    this.room(8);
    this.at = this.bytes.writeDoubleLE(value, this.at);
  }

  /** A string field; nothing when it is empty, as proto3 has it. */
  textField(tag: number, text: string): void {
    if (text !== "") this.text(tag, text);
  }

  /** A string field, written even when empty. */
  text(tag: number, text: string): void {
    const most = text.length * 3;
    this.room(most + 12);
    this.varint(tag);
    if (most < 128) {
      const length = this.bytes.write(text, this.at + 1);
      this.bytes[this.at] = length;
      this.at += length + 1;
      return;
    }
    this.varint(Buffer.byteLength(text));
    this.at += this.bytes.write(text, this.at);
  }

  /** What is encoded already. */
  raw(encoded: Uint8Array): void {
    this.room(encoded.byteLength);
    this.bytes.set(encoded, this.at);
    this.at += encoded.byteLength;
  }

  bytesField(tag: number, value: Uint8Array): void {
    this.room(value.byteLength + 12);
    this.varint(tag);
    this.varint(value.byteLength);
    this.bytes.set(value, this.at);
    this.at += value.byteLength;
  }

  /** Begins a submessage; give the result to `finish`. */
  begin(tag: number): number {
    this.varint(tag);
    this.room(1);
    this.at++;
    return this.at;
  }

  /** Ends a submessage: writes its length in front, moving it when the length takes more than one byte. */
  finish(start: number): void {
    const length = this.at - start;
    const extra = varintSize(length) - 1;
    if (extra > 0) {
      this.room(extra);
      this.bytes.copyWithin(start + extra, start, this.at);
    }
    const end = this.at + extra;
    this.at = start - 1;
    this.varint(length);
    this.at = end;
  }

  private room(more: number): void {
    if (this.at + more <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + more));
    larger.set(this.bytes.subarray(0, this.at));
    this.bytes = larger;
  }
}
