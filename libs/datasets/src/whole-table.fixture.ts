import { type DatasetOptions, detectFormat, memoryFile, openDataset, profileDataset, valueAt } from "./index.ts";

/** A file's table as it is after a push: profiled, and then read by the schema that was found. */
export async function wholeTable(bytes: string | Uint8Array, options: Partial<DatasetOptions> = {}) {
  const file = memoryFile(Buffer.from(bytes));
  const format = await detectFormat(file);
  const { schema, warnings, rows } = await profileDataset({ ...options, format, file });
  const dataset = await openDataset({ format, file, schema });
  const table: Record<string, unknown[]> = {};
  for await (const batch of dataset.batches({ batchRows: 2 })) {
    for (const [name, data] of batch.columns) {
      const values = table[name] ?? [];
      for (let row = 0; row < batch.rows; row++) values.push(valueAt(data, row));
      table[name] = values;
    }
  }
  return { format, rows, table, schema, warnings };
}
