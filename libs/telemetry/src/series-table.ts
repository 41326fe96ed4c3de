import type { Labels } from "./labels.ts";

/** Series of one instrument, OpenTelemetry's default cardinality limit. */
const maximumSeries = 2000;

const overflow: Labels = { otel_metric_overflow: "true" };

/** The series of one instrument by their labels; bounded. */
export class SeriesTable<S> {
  readonly #start: () => S;
  readonly #names: readonly string[] | undefined;
  readonly #byKey = new Map<string, { readonly labels: Labels; readonly series: S }>();

  constructor(start: () => S, names?: readonly string[]) {
    this.#start = start;
    this.#names = names === undefined ? undefined : [...names].sort();
  }

  /** The series with these labels, made when new. */
  at(labels: Labels): S {
    const key = this.#key(labels);
    const found = this.#byKey.get(key);
    if (found !== undefined) return found.series;
    if (this.#byKey.size >= maximumSeries && labels !== overflow) return this.at(overflow);
    const series = this.#start();
    this.#byKey.set(key, { labels: this.#names === undefined ? { ...labels } : this.#pick(labels), series });
    return series;
  }

  remove(labels: Labels): void {
    this.#byKey.delete(this.#key(labels));
  }

  entries(): Iterable<{ readonly labels: Labels; readonly series: S }> {
    return this.#byKey.values();
  }

  #key(labels: Labels): string {
    if (labels === overflow) return "overflow";
    let key = "";
    for (const name of this.#names ?? Object.keys(labels).sort()) key += `${name}\u0000${labels[name] ?? ""}\u0000`;
    return key;
  }

  #pick(labels: Labels): Labels {
    if (labels === overflow) return labels;
    return Object.fromEntries((this.#names ?? []).map((name) => [name, labels[name] ?? ""]));
  }
}
