import { type DateOrder, datePattern } from "@aimass/core";
import type { Batch } from "./batch.ts";
import { isoOf } from "./cells/date.ts";
import type { ChosenReader } from "./chosen-reader.ts";
import type { BatchOptions } from "./format-reader.ts";
import type { Inference } from "./profile/inference.ts";
import type { DatasetSchema } from "./schema.ts";

/** A reader whose columns of dates are ISO 8601, however the file writes them. */
export class DatedReader {
  readonly #inner: ChosenReader;
  readonly #dates: ReadonlyMap<string, DateOrder>;

  constructor(inner: ChosenReader, dates: ReadonlyMap<string, DateOrder>) {
    this.#inner = inner;
    this.#dates = dates;
  }

  infer(signal: AbortSignal | undefined): Promise<Inference> {
    return this.#inner.infer(signal);
  }

  /** How the dates of declared columns are written is seen in their cells alone. */
  async schema(signal: AbortSignal | undefined): Promise<DatasetSchema> {
    return this.#dates.size === 0 ? await this.#inner.schema(signal) : (await this.infer(signal)).schema;
  }

  async *batches(schema: DatasetSchema, options: BatchOptions): AsyncGenerator<Batch> {
    const patterns = schema.columns.flatMap(({ name, dates }) => {
      const pattern = dates === undefined ? undefined : datePattern(dates);
      return pattern === undefined ? [] : [[name, pattern] as const];
    });
    for await (const batch of this.#inner.batches(schema, options)) {
      if (patterns.length === 0) {
        yield batch;
        continue;
      }
      const columns = new Map(batch.columns);
      for (const [name, pattern] of patterns) {
        const column = columns.get(name);
        if (column?.type !== "string") continue;
        const values = column.values.map((text) => (text === undefined ? undefined : isoOf(text, pattern)));
        columns.set(name, { type: "string", values });
      }
      yield { ...batch, columns };
    }
  }
}
