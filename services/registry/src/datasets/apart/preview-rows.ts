import { type Batch, type ColumnData, type ImageReference, valueAt } from "@aimass/datasets";
import { cut } from "../cut-text.ts";
import type { PreviewValue } from "./messages.ts";

/** Characters of a preview's texts together, about; the first row comes whatever it takes. */
const budget = 512 * 1024;
const longestCell = 200;
const shortestCut = 16;

/** Rows to look at: long texts cut, images as name and size. Fewer than the batch has where the rows are long. */
export async function previewRows(batch: Batch): Promise<PreviewValue[][]> {
  const columns = [...batch.columns.values()];
  const longest = Math.max(shortestCut, Math.min(longestCell, Math.floor(budget / columns.length)));
  const rows: PreviewValue[][] = [];
  for (let row = 0, spent = 0; row < batch.rows && (row === 0 || spent < budget); row += 1) {
    const cells = await Promise.all(columns.map((column) => cellAt(column, row, longest)));
    for (const cell of cells) spent += typeof cell === "string" ? cell.length : 8;
    rows.push(cells);
  }
  return rows;
}

async function cellAt(column: ColumnData, row: number, longest: number): Promise<PreviewValue> {
  const value = valueAt(column, row);
  if (typeof value === "object") return cut(await describe(value), longest);
  return typeof value === "string" ? cut(value, longest) : (value ?? null);
}

async function describe(image: ImageReference): Promise<string> {
  const { width, height } = await image.header();
  return `${image.name} (${width}×${height}, ${image.sizeBytes} bytes)`;
}
