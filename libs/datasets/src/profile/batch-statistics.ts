import { type Batch, type ColumnData, missingBoolean } from "../batch.ts";
import { ImageStatistics } from "../images/image-statistics.ts";
import type { ColumnSchema, DatasetSchema } from "../schema.ts";
import { ColumnStatisticsCollector } from "./column-statistics.ts";
import type { DatesGiven } from "./date-writing.ts";
import { finishColumn, type InferredColumn } from "./inference.ts";

/** Statistics of columns whose types are known, from their batches. `dates`: what is known of columns of strings; nothing is where it is left out. */
export async function collectStatistics(
  schema: DatasetSchema,
  batches: AsyncIterable<Batch>,
  dates: (column: string) => DatesGiven = () => "unknown",
): Promise<{ columns: InferredColumn[]; rows: number }> {
  const collectors = schema.columns.map((column) => new TypedColumn(column, dates(column.name)));
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
  readonly #schema: ColumnSchema;
  readonly #values: ColumnStatisticsCollector;
  readonly #images = new ImageStatistics();

  constructor(schema: ColumnSchema, dates: DatesGiven) {
    const { name, type } = schema;
    this.#schema = schema;
    this.#values = new ColumnStatisticsCollector(dates);
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
    if (this.#type === "image") return { profile: this.#images.finish(this.name), warnings: [] };
    const { profile, warnings } = finishColumn(this.name, this.#type, this.#values);
    const { missing, dates } = this.#schema;
    const kept = { ...(missing && { missingWords: missing }), ...(dates !== undefined && { dates }) };
    return { profile: { ...profile, ...kept }, warnings };
  }
}
