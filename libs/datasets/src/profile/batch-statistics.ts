import { type Batch, type ColumnData, missingBoolean } from "../batch.ts";
import { ImageStatistics } from "../images/image-statistics.ts";
import type { ColumnSchema, DatasetSchema } from "../schema.ts";
import { ColumnStatisticsCollector } from "./column-statistics.ts";
import { finishColumn, type InferredColumn } from "./inference.ts";

/** Statistics of columns whose types are known, from their batches. */
export async function collectStatistics(
  schema: DatasetSchema,
  batches: AsyncIterable<Batch>,
): Promise<{ columns: InferredColumn[]; rows: number }> {
  const collectors = schema.columns.map((column) => new TypedColumn(column));
  let rows = 0;
  for await (const batch of batches) {
    rows += batch.rows;
    for (const collector of collectors) await collector.add(batch.columns.get(collector.name) as ColumnData);
  }
  return { columns: collectors.map((collector) => collector.finish()), rows };
}

class TypedColumn {
  readonly name: string;
  readonly #type: ColumnSchema["type"];
  readonly #missingWords: readonly string[];
  readonly #values = new ColumnStatisticsCollector();
  readonly #images = new ImageStatistics();

  constructor({ name, type, missing = [] }: ColumnSchema) {
    this.name = name;
    this.#missingWords = missing;
    this.#type = type;
  }

  async add(column: ColumnData): Promise<void> {
    if (column.type === "image") {
      for (const image of column.values) await this.#images.add(image);
    } else if (column.type === "number") {
      for (const value of column.values) {
        if (Number.isNaN(value)) this.#values.missing++;
        else this.#values.addNumber(value);
      }
    } else if (column.type === "boolean") {
      for (const value of column.values) {
        if (value === missingBoolean) this.#values.missing++;
        else this.#values.addBoolean(value === 1);
      }
    } else {
      for (const value of column.values) {
        if (value === undefined) this.#values.missing++;
        else this.#values.addText(value);
      }
    }
  }

  finish(): InferredColumn {
    if (this.#type === "image") return { profile: this.#images.finish(this.name), warnings: [] };
    const { profile, warnings } = finishColumn(this.name, this.#type, this.#values);
    return this.#missingWords.length === 0
      ? { profile, warnings }
      : { profile: { ...profile, missingWords: this.#missingWords }, warnings };
  }
}
