import type { Batch as DatasetBatch } from "@aimass/datasets";
import type { Batch, ColumnData } from "./columns.ts";

/** A batch of a dataset with its images decoded, those of a column at the same time. Errors: INVALID_ARGUMENT naming the image. */
export async function decodeImages(batch: DatasetBatch, signal?: AbortSignal): Promise<Batch> {
  const columns = await Promise.all(
    [...batch.columns].map(async ([name, column]): Promise<[string, ColumnData]> => {
      if (column.type !== "image") return [name, column];
      return [name, { type: "image", values: await Promise.all(column.values.map((image) => image.decode(signal))) }];
    }),
  );
  return { rows: batch.rows, firstRow: batch.firstRow, columns: new Map(columns) };
}
