import type { DenseMatrix } from "../../matrix.ts";
import type { Block, BlockFit, BlockJson } from "../block.ts";
import { type Batch, columnOf } from "../columns.ts";
import type { FeatureGraph } from "../feature-graph.ts";
import type { DateFeature } from "../plan.ts";
import { RunningMoments } from "../statistics/running-moments.ts";
import { addCivil } from "./civil-graph.ts";
import { type DateKey, type DatePart, type DateTable, dateParts, keysOf, tablesOf } from "./date-parts.ts";

/** (value − centre) · factor. */
interface Scale {
  readonly centre: number;
  readonly factor: number;
}

interface State {
  readonly column: string;
  readonly kind: "date" | "datetime";
  /** What stands for a missing value, in the unit of the kind. */
  readonly fill: number;
  /** In FP64, of the value itself: moments a second apart stay apart. */
  readonly elapsed?: Scale;
  /** In FP32. */
  readonly year?: Scale;
  readonly tables: readonly DateTable[];
  /** Whether a feature says where the value was missing. */
  readonly indicator: boolean;
}

const secondsPerDay = 86_400;

/** Parts of a day or a moment, and how much time has passed. The input is the number of days or seconds since 1970, FP64. */
export class DateBlock implements Block {
  readonly density = 1;
  readonly tolerance = 0;
  readonly width: number;
  private readonly state: State;

  constructor(state: State) {
    this.state = state;
    this.width = this.names().length;
  }

  static fit(spec: DateFeature, kind: "date" | "datetime"): DateBlockFit {
    return new DateBlockFit(spec, kind);
  }

  names(): string[] {
    const { column, elapsed, year, tables, indicator } = this.state;
    const parts = [elapsed && "elapsed", year && "year", ...tables.flatMap(({ names }) => names)];
    const all = [...parts, indicator ? "missing" : undefined];
    return all.filter((name) => name !== undefined).map((name) => `${column}=${name}`);
  }

  transform(batch: Batch): DenseMatrix {
    const { width } = this;
    const { column, kind, fill, elapsed, year, tables, indicator } = this.state;
    const values = momentsOf(batch, column);
    const data = new Float32Array(batch.rows * width);
    let at = 0;
    for (const given of values) {
      const value = Number.isFinite(given) ? given : fill;
      const keys = keysOf(value, kind);
      if (elapsed !== undefined) data[at++] = (value - elapsed.centre) * elapsed.factor;
      if (year !== undefined) data[at++] = Math.fround(keys.year - year.centre) * year.factor;
      for (const { key, names, rows } of tables) {
        for (let i = 0; i < names.length; i++) data[at++] = rows[keys[key] * names.length + i] as number;
      }
      if (indicator) data[at++] = Number.isFinite(given) ? 0 : 1;
    }
    return { kind: "dense", rows: batch.rows, cols: width, data };
  }

  addToGraph(graph: FeatureGraph): string {
    const { column, kind, fill, elapsed, year, tables, indicator } = this.state;
    const axis = graph.ints([1]);
    const input = graph.valueOf(column);
    const missing = graph.node("Or", [graph.node("IsNaN", [input]), graph.node("IsInf", [input])]);
    const value = graph.node("Where", [missing, graph.doubles([fill], []), input]);
    const days = kind === "date" ? value : graph.node("Div", [value, graph.doubles([secondsPerDay], [])]);
    const civil = addCivil(graph, days);
    const column1 = (name: string) => graph.node("Unsqueeze", [name, axis]);
    const parts: string[] = [];
    if (elapsed !== undefined) {
      const since = graph.node("Sub", [value, graph.doubles([elapsed.centre], [])]);
      parts.push(column1(graph.cast(graph.node("Mul", [since, graph.doubles([elapsed.factor], [])]), "float")));
    }
    if (year !== undefined) {
      const from = graph.node("Sub", [graph.cast(civil.year, "float"), graph.floats([year.centre], [])]);
      parts.push(column1(graph.node("Mul", [from, graph.floats([year.factor], [])])));
    }
    const fromZero = (value: string) => graph.node("Sub", [value, graph.ints([1], [])]);
    const keys: Readonly<Record<DateKey, () => string>> = {
      month: () => fromZero(civil.month),
      day: () => fromZero(civil.day),
      weekday: () => civil.weekday,
      sinceMarch: () => civil.sinceMarch,
      hour: () =>
        kind === "date" ? graph.node("Mul", [civil.weekday, graph.ints([0], [])]) : hourOf(graph, value, days),
    };
    for (const { key, names, rows } of tables) {
      const table = graph.floats(rows, [rows.length / names.length, names.length]);
      parts.push(graph.node("Gather", [table, keys[key]()], { axis: { int: 0 } }));
    }
    if (indicator) parts.push(column1(graph.cast(missing, "float")));
    return graph.join(parts);
  }

  toJson(): BlockJson {
    return { block: "date", state: this.state };
  }
}

/** Seconds into the day, in hours. */
function hourOf(graph: FeatureGraph, value: string, days: string): string {
  const midnight = graph.node("Mul", [graph.node("Floor", [days]), graph.doubles([secondsPerDay], [])]);
  const hours = graph.node("Floor", [
    graph.node("Div", [graph.node("Sub", [value, midnight]), graph.doubles([3600], [])]),
  ]);
  const atMost = graph.node("Min", [hours, graph.doubles([23], [])]);
  return graph.cast(graph.node("Max", [atMost, graph.doubles([0], [])]), "int64");
}

/** Days or seconds since 1970; NaN is missing. */
function momentsOf(batch: Batch, name: string): Float64Array {
  return columnOf(batch, name).values as Float64Array;
}

/** Days of training below which a part would only say again how much time has passed, or repeat for the first time among new rows. */
const leastDays: Readonly<Record<DatePart, number>> = {
  elapsed: 0,
  hour: 0,
  weekday: 14,
  weekdays: 14,
  day: 60,
  year: 366,
  month: 366,
  months: 366,
  season: 366,
};

class DateBlockFit implements BlockFit {
  private readonly spec: DateFeature;
  private readonly kind: "date" | "datetime";
  private readonly moments = new RunningMoments();
  /** Whether any moment is not the beginning of a day. */
  private hasHours = false;

  constructor(spec: DateFeature, kind: "date" | "datetime") {
    this.spec = spec;
    this.kind = kind;
  }

  add(batch: Batch): void {
    for (const value of momentsOf(batch, this.spec.column)) {
      this.moments.add(Number.isFinite(value) ? value : Number.NaN);
      if (this.kind === "datetime" && value % secondsPerDay !== 0 && Number.isFinite(value)) this.hasHours = true;
    }
  }

  merge(other: DateBlockFit): void {
    this.moments.merge(other.moments);
    this.hasHours ||= other.hasHours;
  }

  finish(): DateBlock {
    const { spec, kind, moments } = this;
    const { column, nonNegative = false } = spec;
    const { count, mean, deviation, minimum, maximum, missing } = moments;
    const isEmpty = count === 0;
    const parts = spec.parts ?? this.usualParts();
    const scale = nonNegative ? byWidth(minimum, maximum - minimum) : byWidth(mean, deviation);
    return new DateBlock({
      column,
      kind,
      fill: isEmpty ? 0 : Math.round(mean),
      ...(parts.includes("elapsed") && { elapsed: isEmpty ? { centre: 0, factor: 1 } : scale }),
      ...(parts.includes("year") && { year: isEmpty ? { centre: 0, factor: 1 } : this.yearScale(nonNegative) }),
      tables: parts.flatMap((part) => tablesOf(part, kind, nonNegative)),
      indicator: missing > 0,
    });
  }

  private usualParts(): readonly DatePart[] {
    const { minimum, maximum, count } = this.moments;
    const unit = this.kind === "date" ? 1 : secondsPerDay;
    const days = count === 0 ? 0 : (maximum - minimum) / unit;
    const wanted = this.spec.encoding === "circles" ? forWeights : forSplits;
    return wanted.filter((part) => leastDays[part] <= days && (part !== "hour" || this.hasHours));
  }

  private yearScale(nonNegative: boolean): Scale {
    const { minimum, maximum } = this.moments;
    const [first, last] = [keysOf(minimum, this.kind).year, keysOf(maximum, this.kind).year];
    const width = Math.max(1, last - first);
    if (nonNegative) return { centre: first, factor: Math.fround(1 / width) };
    return { centre: Math.fround((first + last) / 2), factor: Math.fround(2 / width) };
  }
}

/** What trees can part rows by, and what a sum of weights needs to follow a year or a week. */
const forSplits: readonly DatePart[] = dateParts.filter((part) => !["months", "weekdays", "season"].includes(part));
const forWeights: readonly DatePart[] = ["elapsed", "months", "weekdays", "season"];

function byWidth(centre: number, width: number): Scale {
  return { centre, factor: width > 0 ? 1 / width : 1 };
}
