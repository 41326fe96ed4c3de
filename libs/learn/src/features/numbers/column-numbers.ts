import { type Batch, numbersOf } from "../columns.ts";
import { columnsOf, type FeaturePlan } from "../plan.ts";
import { NumberStatistics } from "../statistics/number-statistics.ts";

/** Statistics of the number, boolean and date columns a plan uses, gathered once for all features and the baseline. */
export class ColumnNumbers {
  private readonly columns: ReadonlyMap<string, NumberStatistics>;

  constructor(plan: FeaturePlan) {
    const used = new Set(plan.features.flatMap(columnsOf));
    const names = plan.columns.filter(
      ({ name, type, reading }) => used.has(name) && (type === "number" || type === "boolean" || reading !== undefined),
    );
    this.columns = new Map(names.map(({ name }) => [name, new NumberStatistics()]));
  }

  of(column: string): NumberStatistics {
    return this.columns.get(column) as NumberStatistics;
  }

  add(batch: Batch): void {
    for (const [column, statistics] of this.columns) {
      for (const value of numbersOf(batch, column)) statistics.add(value);
    }
  }

  merge(other: ColumnNumbers): void {
    for (const [column, statistics] of this.columns) statistics.merge(other.of(column));
  }
}
