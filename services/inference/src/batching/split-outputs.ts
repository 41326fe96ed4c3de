import { AimassError, nextTurn } from "@aimass/core";
import type { Tensor } from "@aimass/oip";

/** Strings that are passed over before others have their turn: about a millisecond's worth. */
const turnElements = 256 * 1024;

/**
 * Why the outputs of a run are not rows of its inputs; undefined when they are: each output has as many rows as all requests together, and bytes for exactly
 * these. Of anything else nobody can say whose it is.
 */
export function unlikeRows(outputs: readonly Tensor[], total: number): string | undefined {
  for (const { name, shape, bytes, datatype } of outputs) {
    const named = `output ${JSON.stringify(name)}`;
    if (shape[0] !== total) {
      const shown = shape[0] === undefined ? "no axes" : `${shape[0]} rows`;
      return `${named} has ${shown} for ${total} rows of its inputs.`;
    }
    if (datatype !== "BYTES" && total > 0 && bytes.byteLength % total !== 0)
      return `${named} has bytes that are no whole rows.`;
  }
  return undefined;
}

/**
 * Splits outputs that are rows of their inputs (`unlikeRows`), as views: request `i` gets the next `rows[i]` rows of axis 0 of every output. Others have their turns
 * while the rows of many strings are looked for.
 */
export async function splitOutputs(outputs: readonly Tensor[], rows: readonly number[]): Promise<Tensor[][]> {
  const total = rows.reduce((sum, n) => sum + n, 0);
  const parts: Tensor[][] = rows.map(() => []);
  for (const output of outputs) {
    const rowBytes = total === 0 ? 0 : output.bytes.byteLength / total;
    const ends = output.datatype === "BYTES" ? await stringEnds(output, rows) : endsOf(rows, rowBytes);
    const rest = output.shape.slice(1);
    let start = 0;
    for (let i = 0; i < rows.length; i += 1) {
      const end = ends[i] as number;
      const shape = [rows[i] as number, ...rest];
      const { name, datatype } = output;
      (parts[i] as Tensor[]).push({ name, datatype, shape, bytes: output.bytes.subarray(start, end) });
      start = end;
    }
  }
  return parts;
}

/** Byte offsets at which the requests' rows end, where all rows have as many bytes. */
function endsOf(rows: readonly number[], rowBytes: number): number[] {
  let row = 0;
  return rows.map((count) => {
    row += count;
    return row * rowBytes;
  });
}

/** Byte offsets at which the requests' rows of a BYTES tensor end. */
async function stringEnds(tensor: Tensor, rows: readonly number[]): Promise<number[]> {
  const view = new DataView(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.bytes.byteLength);
  const elementsPerRow = tensor.shape.slice(1).reduce((product, n) => product * n, 1);
  const ends: number[] = [];
  let at = 0;
  let left = turnElements;
  for (const count of rows) {
    for (let i = count * elementsPerRow; i > 0; i -= 1) {
      if (at + 4 > view.byteLength) throw new AimassError("INTERNAL", `The output "${tensor.name}" is cut short.`);
      at += 4 + view.getUint32(at, true);
      left -= 1;
      if (left > 0) continue;
      left = turnElements;
      await nextTurn();
    }
    ends.push(at);
  }
  return ends;
}
