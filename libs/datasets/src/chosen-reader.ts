import type { Batch } from "./batch.ts";
import { type ColumnChoice, nameInFile, renameBatch, schemaInFile } from "./column-choice.ts";
import type { BatchOptions, FormatReader } from "./format-reader.ts";
import type { Inference } from "./profile/inference.ts";
import { type DatasetSchema, selectColumns } from "./schema.ts";

/** A reader of the columns that were chosen, under the names that they were given. */
export class ChosenReader {
  readonly #reader: FormatReader;
  readonly #choice: ColumnChoice;

  constructor(reader: FormatReader, choice: ColumnChoice) {
    this.#reader = reader;
    this.#choice = choice;
  }

  async infer(signal: AbortSignal | undefined): Promise<Inference> {
    const { found, ...inference } = await this.#reader.infer(signal);
    return this.#choice.apply(inference, found ?? inference.schema.columns.map(nameInFile));
  }

  async schema(signal: AbortSignal | undefined): Promise<DatasetSchema> {
    const known = await this.#reader.schema?.(signal);
    if (known === undefined) return (await this.infer(signal)).schema;
    return this.#choice.apply({ schema: known.schema, rows: 0, columns: [], warnings: [] }, known.found).schema;
  }

  async *batches(schema: DatasetSchema, options: BatchOptions): AsyncGenerator<Batch> {
    const inFile = schemaInFile(schema);
    const columns = options.columns && selectColumns(schema, options.columns).map(nameInFile);
    const names = new Map(schema.columns.map((column) => [nameInFile(column), column.name]));
    for await (const batch of this.#reader.batches(inFile, { ...options, columns })) {
      yield inFile === schema ? batch : renameBatch(batch, names);
    }
  }
}
