import type { Code } from "@aimass/core";
import type { BoundCounter, Logger, Metrics } from "@aimass/telemetry";
import type { Servable } from "../servables/servable.ts";
import type { ServableSet } from "../servables/servable-set.ts";
import type { ServableObserver } from "../servables/servable-state.ts";
import type { ServingPlan } from "../servables/serving-plan.ts";

const latencyBoundaries = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
const batchBoundaries = [1, 2, 4, 8, 16, 32, 64, 128, 256];

type ModelLabels = { readonly model: string; readonly version: string };

/** What a replica counts. Series of a version end with it. */
export class ReplicaMetrics {
  readonly #queue;
  readonly #run;
  readonly #batch;
  readonly #requests;
  readonly #unbatched;
  /** Hears how long bringing a version on demand back took. */
  readonly recalled: (seconds: number) => void;
  /** Hears that a version on demand was put aside. */
  readonly evicted: () => void;
  readonly #bound = new WeakMap<Servable, Map<string, BoundCounter>>();

  constructor(metrics: Metrics) {
    const labels = ["model", "version"];
    const seconds = { labels, boundaries: latencyBoundaries };
    this.#queue = metrics.histogram("aimass_inference_queue_seconds", {
      help: "Time requests waited for a batch and a free session.",
      ...seconds,
    });
    this.#run = metrics.histogram("aimass_inference_run_seconds", {
      help: "Time of single runs on a session.",
      ...seconds,
    });
    this.#batch = metrics.histogram("aimass_inference_batch_rows", {
      help: "Rows of single runs.",
      labels,
      boundaries: batchBoundaries,
    });
    this.#requests = metrics.counter("aimass_inference_requests_total", {
      help: "Inference requests by outcome.",
      labels: [...labels, "code"],
    });
    this.#unbatched = metrics.counter("aimass_inference_batching_stopped_total", {
      help: "Versions whose requests no longer share runs, because a run did not keep their rows apart.",
      labels,
    });
    const recalls = metrics.histogram("aimass_inference_recall_seconds", {
      help: "Time to bring a version on demand back into memory.",
      boundaries: latencyBoundaries,
    });
    const evictions = metrics.counter("aimass_inference_evictions_total", {
      help: "Versions on demand that were put aside for others.",
    });
    this.recalled = (seconds) => recalls.record(seconds);
    this.evicted = () => evictions.add();
  }

  /** What a servable reports to; `log` is told what people should know at once. */
  observer(plan: ServingPlan, log: Logger): ServableObserver {
    const labels = labelsOf(plan);
    const [queue, run, batch] = [this.#queue.with(labels), this.#run.with(labels), this.#batch.with(labels)];
    return {
      queued: (seconds) => queue.record(seconds),
      ran: (seconds, rows) => {
        run.record(seconds);
        batch.record(rows);
      },
      stoppedBatching: (reason) => {
        this.#unbatched.add(1, labels);
        log.warn("requests of a version no longer share runs", { ...labels, reason });
      },
    };
  }

  /** Counts an answer. */
  answered(servable: Servable, code: Code | "OK"): void {
    let counters = this.#bound.get(servable);
    if (counters === undefined) {
      counters = new Map();
      this.#bound.set(servable, counters);
    }
    let counter = counters.get(code);
    if (counter === undefined) {
      counter = this.#requests.with({ ...labelsOf(servable.plan), code });
      counters.set(code, counter);
    }
    counter.add();
  }

  /** Ends the series of a version. */
  forget(servable: Servable): void {
    const labels = labelsOf(servable.plan);
    for (const histogram of [this.#queue, this.#run, this.#batch]) histogram.remove(labels);
    this.#unbatched.remove(labels);
    for (const code of this.#bound.get(servable)?.keys() ?? []) this.#requests.remove({ ...labels, code });
  }
}

/** Gauges that are read when they are scraped. */
export function observeReplica(
  metrics: Metrics,
  servables: ServableSet,
  device: { id: string; kind: string; executionProviders: string },
): void {
  metrics.observedGauge(
    "aimass_inference_device_info",
    { help: "The device this replica has to itself; always 1.", labels: ["device", "kind", "providers"] },
    () => [{ value: 1, labels: { device: device.id, kind: device.kind, providers: device.executionProviders } }],
  );
  metrics.observedGauge(
    "aimass_inference_queue_depth",
    { help: "Requests that wait for a run.", labels: ["model", "version"] },
    () => servables.all.map((servable) => ({ value: servable.waiting, labels: labelsOf(servable.plan) })),
  );
  metrics.observedGauge(
    "aimass_inference_model_memory_bytes",
    { help: "Memory a loaded version takes.", labels: ["model", "version"] },
    () => servables.all.map(({ memoryBytes, plan }) => ({ value: memoryBytes, labels: labelsOf(plan) })),
  );
  metrics.observedGauge(
    "aimass_inference_versions",
    { help: "Versions on this replica by state.", labels: ["state"] },
    () => {
      const counts = new Map<string, number>();
      for (const { state } of servables.all) counts.set(state.kind, (counts.get(state.kind) ?? 0) + 1);
      return [...counts].map(([state, value]) => ({ value, labels: { state } }));
    },
  );
}

function labelsOf({ name }: ServingPlan): ModelLabels {
  return { model: `${name.project}.${name.model}`, version: String(name.version) };
}
