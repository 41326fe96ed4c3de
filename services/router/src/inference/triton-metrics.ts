import type { ModelStatistics, StatisticDuration } from "@aimass/api/inference";
import type { Clock } from "@aimass/core";
import { anonymous } from "@aimass/identity";
import type { Caller } from "../pipeline/call.ts";
import type { RouteTable } from "../routes/route-table.ts";
import type { ModelFacts } from "./model-facts.ts";

/** How long replicas may take to tell their counts. */
const timeoutMs = 5000;

interface Family {
  readonly name: string;
  readonly help: string;
  readonly value: (statistics: ModelStatistics) => bigint;
}

const micros = (duration: StatisticDuration | undefined) => (duration?.ns ?? 0n) / 1000n;

/** Counters of Triton's metrics endpoint that are counted here; its others (GPU, cache, pinned memory) have no numbers to stand for. */
const families: readonly Family[] = [
  {
    name: "nv_inference_request_success",
    help: "Number of successful inference requests, all batch sizes",
    value: (s) => s.inferenceStats?.success?.count ?? 0n,
  },
  {
    name: "nv_inference_request_failure",
    help: "Number of failed inference requests, all batch sizes",
    value: (s) => s.inferenceStats?.fail?.count ?? 0n,
  },
  { name: "nv_inference_count", help: "Number of inferences performed", value: (s) => s.inferenceCount },
  { name: "nv_inference_exec_count", help: "Number of model executions performed", value: (s) => s.executionCount },
  {
    name: "nv_inference_request_duration_us",
    help: "Cumulative inference request duration in microseconds",
    value: (s) => micros(s.inferenceStats?.success),
  },
  {
    name: "nv_inference_queue_duration_us",
    help: "Cumulative inference queuing duration in microseconds",
    value: (s) => micros(s.inferenceStats?.queue),
  },
  {
    name: "nv_inference_compute_input_duration_us",
    help: "Cumulative compute input duration in microseconds",
    value: (s) => micros(s.inferenceStats?.computeInput),
  },
  {
    name: "nv_inference_compute_infer_duration_us",
    help: "Cumulative compute inference duration in microseconds",
    value: (s) => micros(s.inferenceStats?.computeInfer),
  },
  {
    name: "nv_inference_compute_output_duration_us",
    help: "Cumulative inference compute output duration in microseconds",
    value: (s) => micros(s.inferenceStats?.computeOutput),
  },
];

/** What every version was counted, in the names of Triton's metrics endpoint, for tools that read these. Replicas are asked anew each time, once for all who ask meanwhile. */
export class TritonMetrics {
  readonly #facts: ModelFacts;
  readonly #table: RouteTable;
  readonly #clock: Clock;
  #collecting: Promise<string> | undefined;

  constructor(options: { facts: ModelFacts; table: RouteTable; clock: Clock }) {
    this.#facts = options.facts;
    this.#table = options.table;
    this.#clock = options.clock;
  }

  /** Prometheus' text format. Rejects when a replica's answer cannot be read. */
  text(): Promise<string> {
    this.#collecting ??= this.#collect().finally(() => {
      this.#collecting = undefined;
    });
    return this.#collecting;
  }

  async #collect(): Promise<string> {
    const caller: Caller = {
      principal: anonymous,
      deadlineAt: this.#clock.monotonic() + timeoutMs,
      signal: AbortSignal.timeout(timeoutMs),
      traceparent: "",
      draw: 0,
    };
    const all = await this.#facts.statisticsOf([...this.#table.models.values()], caller);
    return families.map((family) => textOf(family, all)).join("");
  }
}

function textOf({ name, help, value }: Family, all: readonly ModelStatistics[]): string {
  const lines = all.map((s) => `${name}{model="${s.name}",version="${s.version}"} ${value(s)}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} counter\n${lines.join("")}`;
}
