import type { Labels } from "./labels.ts";
import { SeriesTable } from "./series-table.ts";

/** One value of an observed metric. */
export interface Observation {
  readonly value: number;
  readonly labels?: Labels;
}

export interface BoundCounter {
  /** Adds `n` (default 1, never negative). */
  add(n?: number): void;
}

/** Only grows. */
export interface Counter {
  add(n?: number, labels?: Labels): void;
  /** The handle of one series: adding by it costs nanoseconds. Keep it. */
  with(labels: Labels): BoundCounter;
  /** Forgets a series, for instance of a model that was unloaded. */
  remove(labels: Labels): void;
}

export interface BoundGauge {
  set(value: number): void;
}

/** Goes up and down. */
export interface Gauge {
  set(value: number, labels?: Labels): void;
  with(labels: Labels): BoundGauge;
  remove(labels: Labels): void;
}

export interface BoundHistogram {
  record(value: number): void;
}

/** Counts values in buckets. */
export interface Histogram {
  record(value: number, labels?: Labels): void;
  with(labels: Labels): BoundHistogram;
  remove(labels: Labels): void;
}

export interface MetricOptions {
  /** One sentence for whoever reads the scrape. */
  readonly help: string;
  /** The label names, for readers; series may carry only these. Default: any. */
  readonly labels?: readonly string[];
}

export interface HistogramOptions extends MetricOptions {
  /** Upper bounds of the buckets, ascending; +Inf is added. Default: `defaultBoundaries`, for seconds. */
  readonly boundaries?: readonly number[];
}

/**
 * Makes instruments. Names look like `aimass_router_requests_total`; durations are in seconds. Asking twice for a name gives the same instrument.
 * Each instrument holds at most 2000 series; what comes after is counted in one series with `otel_metric_overflow="true"`.
 */
export interface Metrics {
  counter(name: string, options: MetricOptions): Counter;
  gauge(name: string, options: MetricOptions): Gauge;
  histogram(name: string, options: HistogramOptions): Histogram;
  /** A gauge whose values are asked for at each scrape. Dispose to stop. */
  observedGauge(name: string, options: MetricOptions, observe: () => Iterable<Observation>): Disposable;
  /** A counter kept elsewhere, asked for at each scrape. Dispose to stop. */
  observedCounter(name: string, options: MetricOptions, observe: () => Iterable<Observation>): Disposable;
}

/** Half a millisecond to half a minute. */
export const defaultBoundaries: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

export interface NumberSeries {
  value: number;
}

export interface HistogramSeries {
  readonly counts: number[];
  sum: number;
}

interface FamilyOf {
  readonly counter: { readonly table: SeriesTable<NumberSeries> };
  readonly gauge: { readonly table: SeriesTable<NumberSeries> };
  readonly histogram: { readonly table: SeriesTable<HistogramSeries>; readonly boundaries: readonly number[] };
  readonly observedCounter: { readonly sources: Set<() => Iterable<Observation>> };
  readonly observedGauge: { readonly sources: Set<() => Iterable<Observation>> };
}

type Kind = keyof FamilyOf;

/** A metric as the scrape finds it. */
export type MetricFamily<K extends Kind = Kind> = {
  [P in K]: { readonly name: string; readonly help: string; readonly kind: P } & FamilyOf[P];
}[K];

/**
 * Aggregates in plain numbers, because recording through the OpenTelemetry SDK costs half a microsecond a value and a tenth of a second at start; the
 * scrape turns the sums into OpenTelemetry's data model (`prometheus-text.ts`).
 */
export class MetricsRegistry implements Metrics {
  readonly families = new Map<string, MetricFamily>();

  counter(name: string, options: MetricOptions): Counter {
    const { table } = this.#family(name, "counter", () => ({
      name,
      help: options.help,
      kind: "counter",
      table: new SeriesTable<NumberSeries>(() => ({ value: 0 }), options.labels),
    }));
    return {
      add: (n = 1, labels = noLabels) => {
        table.at(labels).value += n;
      },
      with: (labels) => {
        const series = table.at(labels);
        return {
          add: (n = 1) => {
            series.value += n;
          },
        };
      },
      remove: (labels) => table.remove(labels),
    };
  }

  gauge(name: string, options: MetricOptions): Gauge {
    const { table } = this.#family(name, "gauge", () => ({
      name,
      help: options.help,
      kind: "gauge",
      table: new SeriesTable<NumberSeries>(() => ({ value: 0 }), options.labels),
    }));
    return {
      set: (value, labels = noLabels) => {
        table.at(labels).value = value;
      },
      with: (labels) => {
        const series = table.at(labels);
        return {
          set: (value) => {
            series.value = value;
          },
        };
      },
      remove: (labels) => table.remove(labels),
    };
  }

  histogram(name: string, options: HistogramOptions): Histogram {
    const { table, boundaries } = this.#family(name, "histogram", () => {
      const bounds = options.boundaries ?? defaultBoundaries;
      const start = () => ({ counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 });
      return {
        name,
        help: options.help,
        kind: "histogram",
        table: new SeriesTable<HistogramSeries>(start, options.labels),
        boundaries: bounds,
      };
    });
    return {
      record: (value, labels = noLabels) => recordInto(table.at(labels), boundaries, value),
      with: (labels) => {
        const series = table.at(labels);
        return { record: (value) => recordInto(series, boundaries, value) };
      },
      remove: (labels) => table.remove(labels),
    };
  }

  observedGauge(name: string, options: MetricOptions, observe: () => Iterable<Observation>): Disposable {
    return this.#observed("observedGauge", name, options, observe);
  }

  observedCounter(name: string, options: MetricOptions, observe: () => Iterable<Observation>): Disposable {
    return this.#observed("observedCounter", name, options, observe);
  }

  #observed(
    kind: "observedGauge" | "observedCounter",
    name: string,
    options: MetricOptions,
    observe: () => Iterable<Observation>,
  ): Disposable {
    const { sources } = this.#family(name, kind, () => ({ name, help: options.help, kind, sources: new Set() }));
    sources.add(observe);
    return {
      [Symbol.dispose]: () => {
        sources.delete(observe);
      },
    };
  }

  #family<K extends Kind>(name: string, kind: K, create: () => MetricFamily<K>): MetricFamily<K> {
    let family = this.families.get(name);
    if (family === undefined) {
      family = create() as unknown as MetricFamily;
      this.families.set(name, family);
    }
    if (family.kind !== kind) throw new Error(`The metric "${name}" is a ${family.kind} already, not a ${kind}.`);
    return family as unknown as MetricFamily<K>;
  }
}

const noLabels: Labels = Object.freeze({});

function recordInto(series: HistogramSeries, boundaries: readonly number[], value: number): void {
  let bucket = 0;
  while (bucket < boundaries.length && value > (boundaries[bucket] as number)) bucket += 1;
  series.counts[bucket] = (series.counts[bucket] as number) + 1;
  series.sum += value;
}
