import { type Batch, type ColumnData, missingBoolean } from "../batch.ts";
import { ImageStatistics } from "../images/image-statistics.ts";
import type { ColumnSchema, DatasetSchema } from "../schema.ts";
import { quote } from "../schema.ts";
import { ColumnStatisticsCollector } from "./column-statistics.ts";
import type { ColumnProfile, InferredColumn } from "./inference.ts";

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
  readonly #values = new ColumnStatisticsCollector();
  readonly #images = new ImageStatistics();

  constructor({ name, type }: ColumnSchema) {
    this.name = name;
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
    const profile = this.#profile();
    const empty = profile.statistics.kind === "empty";
    return { profile, warnings: empty ? [`Column ${quote(this.name)} has no value in ${profile.missing} rows.`] : [] };
  }

  #profile(): ColumnProfile {
    switch (this.#type) {
      case "image":
        return this.#images.finish(this.name);
      case "number":
        return this.#values.finishNumbers(this.name);
      case "boolean":
        return this.#values.finishBooleans(this.name);
      default:
        return this.#values.finishTexts(this.name);
    }
  }
}
