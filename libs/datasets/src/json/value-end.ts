import { isUtf8 } from "node:buffer";
import { badFile } from "../cells/bad-cell.ts";
import { stringEnd } from "../json-lines/line-shape.ts";
import { quote } from "../schema.ts";

/** Where the value that begins at `from` ends, by its brackets and quotes alone; `from` when that is not among these bytes. `whole`: nothing follows them. */
export function valueEnd(bytes: Uint8Array, from: number, whole: boolean): number {
  let depth = 0;
  for (let at = from; at < bytes.length; at++) {
    switch (bytes[at]) {
      case 0x22:
        at = stringEnd(bytes, at + 1, bytes.length);
        if (at >= bytes.length) return from;
        if (depth === 0) return at + 1;
        break;
      case 0x7b:
      case 0x5b:
        depth++;
        break;
      case 0x7d:
      case 0x5d:
        if (depth === 0) return at;
        if (--depth === 0) return at + 1;
        break;
      case 0x2c:
      case 0x3a:
      case 0x20:
      case 0x0a:
      case 0x0d:
      case 0x09:
        if (depth === 0) return at;
    }
  }
  return depth === 0 && whole ? bytes.length : from;
}

/** Where the next value or sign is: the first byte from `at` on that is no white space. */
export function skipSpace(bytes: Uint8Array, at: number): number {
  while (at < bytes.length && isSpace(bytes[at] as number)) at++;
  return at;
}

/** A value on one line, as text. Errors: INVALID_ARGUMENT for bytes that are not UTF-8. */
export function lineOf(value: Buffer): string {
  if (!isUtf8(value)) throw badFile("The text of the JSON file is not UTF-8.", "Save the file as UTF-8.");
  return String(onOneLine(value));
}

/** A text, or the name that a number is, without its quotes. Errors: INVALID_ARGUMENT for what is no JSON. */
export function textOf(written: Buffer): string {
  try {
    return String(JSON.parse(lineOf(written)));
  } catch (cause) {
    throw badFile(`The file is not JSON: ${quote(String(written))} is no text.`, "Write it anew.", cause);
  }
}

/** A value on one line. Line breaks in strings, which no JSON has, stay. */
export function onOneLine(value: Buffer): Buffer {
  if (!value.includes(0x0a) && !value.includes(0x0d)) return value;
  const line = Buffer.from(value);
  for (let at = 0; at < line.length; at++) {
    const byte = line[at];
    if (byte === 0x22) at = stringEnd(line, at + 1, line.length);
    else if (byte === 0x0a || byte === 0x0d) line[at] = 0x20;
  }
  return line;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
