import { AimassError } from "@aimass/core";
import type { Tensor } from "@aimass/oip";

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

/** Splits outputs that are rows of their inputs (`unlikeRows`), as views: request `i` gets the next `rows[i]` rows of axis 0 of every output. */
export function splitOutputs(outputs: readonly Tensor[], rows: readonly number[]): Tensor[][] {
  const total = rows.reduce((sum, n) => sum + n, 0);
  const parts: Tensor[][] = rows.map(() => []);
  for (const output of outputs) {
    const ends = output.datatype === "BYTES" ? stringRowEnds(output, total) : undefined;
    const rowBytes = total === 0 ? 0 : output.bytes.byteLength / total;
    const endOf = (row: number) => (ends === undefined ? row * rowBytes : (ends[row] as number));
    const rest = output.shape.slice(1);
    let row = 0;
    for (let i = 0; i < rows.length; i += 1) {
      const count = rows[i] as number;
      const bytes = output.bytes.subarray(endOf(row), endOf(row + count));
      (parts[i] as Tensor[]).push({ name: output.name, datatype: output.datatype, shape: [count, ...rest], bytes });
      row += count;
    }
  }
  return parts;
}

/** Byte offsets at which the rows of a BYTES tensor end; entry 0 is 0. */
function stringRowEnds(tensor: Tensor, rows: number): number[] {
  const view = new DataView(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.bytes.byteLength);
  const elementsPerRow = tensor.shape.slice(1).reduce((product, n) => product * n, 1);
  const ends = [0];
  let at = 0;
  for (let row = 0; row < rows; row += 1) {
    for (let i = 0; i < elementsPerRow; i += 1) {
      if (at + 4 > view.byteLength) throw new AimassError("INTERNAL", `The output "${tensor.name}" is cut short.`);
      at += 4 + view.getUint32(at, true);
    }
    ends.push(at);
  }
  return ends;
}
