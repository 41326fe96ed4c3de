import type { BoundCounter, BoundHistogram, Counter, Histogram, Telemetry } from "@aimass/telemetry";

/** What is counted of one model version's calls with one code. */
interface CallSeries {
  readonly labels: { readonly model: string; readonly version: string; readonly code: string };
  readonly requests: BoundCounter;
  readonly seconds: BoundHistogram;
}

/** Buckets for the router's own share of a call, in seconds. */
const overheadBoundaries = [0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25];

/** The router's instruments. */
export class RouterMetrics {
  readonly retries: BoundCounter;
  readonly overhead: BoundHistogram;
  readonly #requests: Counter;
  readonly #seconds: Histogram;
  readonly #proxied: Counter;
  readonly #series = new Map<string, CallSeries>();
  readonly #telemetry: Telemetry;

  constructor(telemetry: Telemetry) {
    const { metrics } = telemetry;
    this.#telemetry = telemetry;
    this.#requests = metrics.counter("aimass_router_requests_total", {
      help: "Inference calls answered, by model, version and code.",
      labels: ["model", "version", "code"],
    });
    this.#seconds = metrics.histogram("aimass_router_request_seconds", {
      help: "Time from a call's whole body to its answer.",
      labels: ["model", "version", "code"],
    });
    this.#proxied = metrics.counter("aimass_router_proxied_total", {
      help: "Control-plane calls passed on, by service and outcome.",
      labels: ["service", "outcome"],
    });
    this.retries = metrics
      .counter("aimass_router_retries_total", { help: "Attempts after the first one of a call." })
      .with({});
    this.overhead = metrics
      .histogram("aimass_router_overhead_seconds", {
        help: "Time of a call that was spent in the router and not in waiting for a replica's answer.",
        boundaries: overheadBoundaries,
      })
      .with({});
  }

  /** Counts an answered call. Names that clients invent must not come here: each is a series. */
  count(call: { model: string; version: string; code: string; seconds: number }): void {
    const key = `${call.model}/${call.version}/${call.code}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      const labels = { model: call.model, version: call.version, code: call.code };
      series = { labels, requests: this.#requests.with(labels), seconds: this.#seconds.with(labels) };
      this.#series.set(key, series);
    }
    series.requests.add();
    series.seconds.record(call.seconds);
  }

  /** Forgets the series of versions that are served no more: each would stay for ever, and new ones have no place once there are too many. */
  keepOnly(isServed: (model: string, version: string) => boolean): void {
    for (const [key, { labels }] of this.#series) {
      if (labels.version === "" || isServed(labels.model, labels.version)) continue;
      this.#series.delete(key);
      this.#requests.remove(labels);
      this.#seconds.remove(labels);
    }
  }

  countProxied(service: string, outcome: string): void {
    this.#proxied.add(1, { service, outcome });
  }

  /** A gauge that is asked for at each scrape. */
  observe(name: string, help: string, read: () => number): void {
    this.#telemetry.metrics.observedGauge(name, { help }, () => {
      const value = read();
      return Number.isFinite(value) ? [{ value }] : [];
    });
  }

  /** A counter that is kept elsewhere. */
  observeTotal(name: string, help: string, read: () => number): void {
    this.#telemetry.metrics.observedCounter(name, { help }, () => [{ value: read() }]);
  }
}
