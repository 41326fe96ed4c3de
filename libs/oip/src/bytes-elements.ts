import { isUtf8 } from "node:buffer";
import { AimassError } from "@aimass/core";
import { quoted } from "./datatype.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The elements of a BYTES tensor as views into it. `tensor` names it in errors.
 * Throws INVALID_ARGUMENT when a length runs past the end.
 */
export function bytesElements(bytes: Uint8Array, tensor = "BYTES"): Uint8Array[] {
  const elements: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const start = at + 4;
    const end = start + lengthAt(bytes, at, tensor);
    if (end > bytes.length) throw truncated(bytes, at, tensor);
    elements.push(bytes.subarray(start, end));
    at = end;
  }
  return elements;
}

/** How many elements a BYTES tensor holds. Throws INVALID_ARGUMENT when a length runs past the end. */
export function countBytesElements(bytes: Uint8Array, tensor = "BYTES"): number {
  let count = 0;
  for (let at = 0; at < bytes.length; count++) {
    const end = at + 4 + lengthAt(bytes, at, tensor);
    if (end > bytes.length) throw truncated(bytes, at, tensor);
    at = end;
  }
  return count;
}

/** The elements of a BYTES tensor as strings. Throws INVALID_ARGUMENT when one is not UTF-8. */
export function stringElements(bytes: Uint8Array, tensor = "BYTES"): string[] {
  const starts = elementStarts(bytes, tensor);
  return Array.from(starts, (start, index) => textElement(bytes, start, { tensor, index }));
}

/** Where the elements of a BYTES tensor begin, at their lengths. Throws INVALID_ARGUMENT when a length runs past the end. */
export function elementStarts(bytes: Uint8Array, tensor: string): Float64Array {
  const starts = new Float64Array(countBytesElements(bytes, tensor));
  for (let at = 0, index = 0; index < starts.length; index++) {
    starts[index] = at;
    at += 4 + lengthAt(bytes, at, tensor);
  }
  return starts;
}

/** The element that begins at a place. Throws INVALID_ARGUMENT when it is not UTF-8. */
export function textElement(bytes: Uint8Array, start: number, named: { tensor: string; index: number }): string {
  const text = decodeUtf8(bytes.subarray(start + 4, start + 4 + lengthAt(bytes, start, named.tensor)));
  if (text !== undefined) return text;
  const message = `Element ${named.index} of tensor ${quoted(named.tensor)} is not UTF-8 text.`;
  throw new AimassError("INVALID_ARGUMENT", message, {
    reason: "NOT_UTF8",
    field: named.tensor,
    remedy: "Strings are UTF-8; carry other bytes as UINT8, or ask for the output in binary.",
  });
}

/**
 * Throws INVALID_ARGUMENT unless every element is text a runtime of C strings keeps whole: UTF-8 without U+0000.
 * Cheaper than `stringElements`: nothing is decoded.
 */
export function assertTextElements(bytes: Uint8Array, tensor = "BYTES"): void {
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const end = at + 4 + lengthAt(bytes, at, tensor);
    if (end > bytes.length) throw truncated(bytes, at, tensor);
    const element = bytes.subarray(at + 4, end);
    at = end;
    if (isUtf8(element) && !element.includes(0)) continue;
    const what = isUtf8(element) ? "holds the character U+0000" : "is not UTF-8 text";
    throw new AimassError("INVALID_ARGUMENT", `Element ${index} of tensor ${quoted(tensor)} ${what}.`, {
      reason: "NOT_TEXT",
      field: tensor,
      remedy: "Models take BYTES as UTF-8 text without U+0000; other bytes go into a UINT8 input.",
    });
  }
}

/** Elements framed as a BYTES tensor: uint32 little-endian length ‖ bytes, one after another. */
export function bytesFromElements(elements: readonly (string | Uint8Array)[]): Buffer {
  let total = 0;
  for (const element of elements) {
    total += 4 + (typeof element === "string" ? Buffer.byteLength(element) : element.byteLength);
  }
  const framed = Buffer.allocUnsafe(total);
  let at = 0;
  for (const element of elements) {
    const length = typeof element === "string" ? framed.write(element, at + 4) : element.byteLength;
    if (typeof element !== "string") framed.set(element, at + 4);
    framed.writeUInt32LE(length, at);
    at += 4 + length;
  }
  return framed;
}

/** UTF-8 as text; undefined when it is not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

function lengthAt(bytes: Uint8Array, at: number, tensor: string): number {
  if (at + 4 > bytes.length) throw truncated(bytes, at, tensor);
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
  return low + (bytes[at + 3] as number) * 0x1000000;
}

function truncated(bytes: Uint8Array, at: number, tensor: string): AimassError {
  const message = `Tensor ${quoted(tensor)} ends inside an element: the one at byte ${at} of ${bytes.length}.`;
  return new AimassError("INVALID_ARGUMENT", message, {
    reason: "BAD_BYTES_FRAMING",
    field: tensor,
    remedy: "A BYTES element is its length as uint32 little-endian, then that many bytes.",
  });
}
