import { type Batch, imagesOf, stringsOf } from "./columns.ts";
import type { ColumnNumbers } from "./numbers/column-numbers.ts";
import { columnsOf, type FeaturePlan, type PlanColumn } from "./plan.ts";
import { FrequentValues } from "./statistics/frequent-values.ts";
import { NumberStatistics } from "./statistics/number-statistics.ts";

/** A distribution of numbers: `quantiles` at 0, 5, …, 100 % of the values that are not missing (empty without any). */
export interface NumberBaseline {
  readonly count: number;
  readonly missing: number;
  readonly mean: number;
  readonly deviation: number;
  readonly quantiles: readonly number[];
}

/** What a column looked like in training, to compare what is served with. */
export type ColumnBaseline =
  | ({ readonly kind: "number"; readonly column: string } & NumberBaseline)
  | {
      readonly kind: "category";
      readonly column: string;
      readonly count: number;
      readonly missing: number;
      readonly distinct: number;
      /** The fifty most frequent values with their counts. */
      readonly top: readonly (readonly [string, number])[];
    }
  /** Length in UTF-16 code units; an empty text counts as missing. */
  | { readonly kind: "text"; readonly column: string; readonly length: NumberBaseline }
  /** Mean of all bytes of an image, 0 to 255, and the number of its pixels. */
  | {
      readonly kind: "image";
      readonly column: string;
      readonly brightness: NumberBaseline;
      readonly pixels: NumberBaseline;
    };

/** Gathers the baselines of the columns a plan uses. */
export class BaselineFit {
  private readonly columns: readonly ColumnFit[];

  constructor(plan: FeaturePlan, numbers: ColumnNumbers) {
    const texts = new Set(plan.features.filter(({ kind }) => kind === "text").flatMap(columnsOf));
    const used = new Set(plan.features.flatMap(columnsOf));
    this.columns = plan.columns
      .filter(({ name }) => used.has(name))
      .map((column) => columnFit(column, texts.has(column.name), numbers));
  }

  add(batch: Batch): void {
    for (const column of this.columns) column.add(batch);
  }

  merge(other: BaselineFit): void {
    this.columns.forEach((column, index) => {
      column.merge(other.columns[index] as ColumnFit);
    });
  }

  finish(): ColumnBaseline[] {
    return this.columns.map((column) => column.finish());
  }
}

interface ColumnFit {
  add(batch: Batch): void;
  merge(other: ColumnFit): void;
  finish(): ColumnBaseline;
}

function columnFit(column: PlanColumn, isText: boolean, numbers: ColumnNumbers): ColumnFit {
  if (column.type === "image") return new ImageColumnFit(column.name);
  if (column.type !== "string" || column.reading !== undefined)
    return new NumberColumnFit(column, numbers.of(column.name));
  return isText ? new TextColumnFit(column.name) : new CategoryColumnFit(column.name);
}

function numberBaseline({ moments, sketch }: NumberStatistics): NumberBaseline {
  const { count, missing, mean, deviation } = moments;
  const shares = Array.from({ length: 21 }, (_, i) => i / 20);
  return { count, missing, mean, deviation, quantiles: count === 0 ? [] : sketch.quantiles(shares) };
}

/** Reads the statistics of a number column, which others keep; as the cells were, before they were read in another way. */
class NumberColumnFit implements ColumnFit {
  private readonly column: PlanColumn;
  private readonly statistics: NumberStatistics;

  constructor(column: PlanColumn, statistics: NumberStatistics) {
    this.column = column;
    this.statistics = statistics;
  }

  add(): void {}

  merge(): void {}

  finish(): ColumnBaseline {
    const { name: column, reading } = this.column;
    const found = numberBaseline(this.statistics);
    if (reading?.kind !== "shifted") return { kind: "number", column, ...found };
    const { offset, unit } = reading;
    const back = (value: number) => value * unit + offset;
    const mean = found.count === 0 ? 0 : back(found.mean);
    return {
      ...found,
      kind: "number",
      column,
      mean,
      deviation: found.deviation * unit,
      quantiles: found.quantiles.map(back),
    };
  }
}

class CategoryColumnFit implements ColumnFit {
  private readonly column: string;
  private readonly values = new FrequentValues<string>();
  private count = 0;
  private missing = 0;

  constructor(column: string) {
    this.column = column;
  }

  add(batch: Batch): void {
    for (const value of stringsOf(batch, this.column)) {
      if (value === "") this.missing++;
      else {
        this.count++;
        this.values.add(value);
      }
    }
  }

  merge(other: CategoryColumnFit): void {
    this.count += other.count;
    this.missing += other.missing;
    this.values.merge(other.values);
  }

  finish(): ColumnBaseline {
    const { column, count, missing } = this;
    const distinct = this.values.size;
    return { kind: "category", column, count, missing, distinct, top: this.values.sorted().slice(0, 50) };
  }
}

class TextColumnFit implements ColumnFit {
  private readonly column: string;
  private readonly length = new NumberStatistics();

  constructor(column: string) {
    this.column = column;
  }

  add(batch: Batch): void {
    for (const text of stringsOf(batch, this.column)) this.length.add(text === "" ? Number.NaN : text.length);
  }

  merge(other: TextColumnFit): void {
    this.length.merge(other.length);
  }

  finish(): ColumnBaseline {
    return { kind: "text", column: this.column, length: numberBaseline(this.length) };
  }
}

class ImageColumnFit implements ColumnFit {
  private readonly column: string;
  private readonly brightness = new NumberStatistics();
  private readonly pixels = new NumberStatistics();

  constructor(column: string) {
    this.column = column;
  }

  add(batch: Batch): void {
    for (const { rgb: data, width, height } of imagesOf(batch, this.column)) {
      let sum = 0;
      for (const byte of data) sum += byte;
      this.brightness.add(sum / data.length);
      this.pixels.add(width * height);
    }
  }

  merge(other: ImageColumnFit): void {
    this.brightness.merge(other.brightness);
    this.pixels.merge(other.pixels);
  }

  finish(): ColumnBaseline {
    const { column } = this;
    return { kind: "image", column, brightness: numberBaseline(this.brightness), pixels: numberBaseline(this.pixels) };
  }
}
