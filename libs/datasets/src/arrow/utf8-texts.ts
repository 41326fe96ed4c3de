import { overLimit } from "../limits.ts";
import { quote } from "../schema.ts";
import type { ArrowField } from "./arrow-file.ts";
import type { BatchParts } from "./batch-reader.ts";

/** The value of a row as JSON. */
export type Texts = (row: number) => string;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Texts one behind the other, by where each begins. */
export function offsetTexts(field: ArrowField, parts: BatchParts, bound: (row: number) => number): Texts {
  const text = textsOf(field, parts);
  const data = parts.buffer();
  return (row) => text(data, bound(row), bound(row + 1));
}

/** Views: short texts stand in them, longer ones in buffers of their own. */
export function viewTexts(field: ArrowField, parts: BatchParts): Texts {
  const text = textsOf(field, parts);
  const views = parts.buffer();
  const data = Array.from({ length: parts.views() }, () => parts.buffer());
  return (row) => {
    const length = views.getInt32(16 * row, true);
    if (length <= 12) return text(views, 16 * row + 4, 16 * row + 4 + length);
    const from = views.getInt32(16 * row + 12, true);
    const buffer = data[views.getInt32(16 * row + 8, true)];
    if (buffer === undefined) throw new RangeError("a text lies outside");
    return text(buffer, from, from + length);
  };
}

/** Errors of what it returns: INVALID_ARGUMENT, DATASET_LIMIT, before a text is made: many may be the same bytes of a batch. */
function textsOf({ name }: ArrowField, { limits }: BatchParts) {
  return (data: DataView, from: number, to: number): string => {
    if (!(from >= 0 && from <= to && to <= data.byteLength)) throw new RangeError("a text lies outside");
    const size = to - from;
    if (size > limits.cellBytes)
      throw overLimit("cellBytes", limits, `Column ${quote(name)} has a value of ${size.toLocaleString("en")} bytes`);
    return JSON.stringify(utf8.decode(new Uint8Array(data.buffer, data.byteOffset + from, size)));
  };
}
