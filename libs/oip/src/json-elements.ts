import { elementStarts, textElement } from "./bytes-elements.ts";
import { fromBf16, fromFp16 } from "./half.ts";
import { elementsOf, type Tensor } from "./tensor.ts";
import type { TextChunks } from "./text-chunks.ts";

/**
 * JSON text of each element of a tensor, by its place: numbers with all their digits, true and false, strings; NaN and infinities as the strings "NaN",
 * "Infinity", "-Infinity", as protobuf's JSON mapping has them. Throws INVALID_ARGUMENT for BYTES that are not UTF-8.
 */
export function elementTexts(tensor: Tensor): (index: number) => string {
  if (tensor.datatype === "BYTES") {
    const { bytes, name } = tensor;
    const starts = elementStarts(bytes, name);
    return (index) => JSON.stringify(textElement(bytes, starts[index] as number, { tensor: name, index }));
  }
  const elements = elementsOf(tensor.datatype, tensor.bytes) as Float64Array;
  switch (tensor.datatype) {
    case "BOOL":
      return (index) => (elements[index] === 0 ? "false" : "true");
    case "FP16":
      return (index) => numberText(fromFp16(elements[index] as number));
    case "BF16":
      return (index) => numberText(fromBf16(elements[index] as number));
    default:
      return (index) => numberText(elements[index] as number);
  }
}

/** Writes elements [from, to) as a list. */
export function writeList(out: TextChunks, text: (index: number) => string, from: number, to: number): void {
  out.add("[");
  for (let index = from; index < to; index++) out.add(index === from ? text(index) : `,${text(index)}`);
  out.add("]");
}

/** Also of a bigint; -0 is 0. */
function numberText(value: number): string {
  return typeof value === "bigint" || Number.isFinite(value) ? String(value) : `"${value}"`;
}
