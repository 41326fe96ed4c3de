import type { InferClient, InferOutcome } from "./infer-client.ts";
import { rowRequest } from "./row-request.ts";

/** One kind of request that traffic consists of. */
export interface TrafficKind {
  readonly name: string;
  readonly request: Buffer;
  /** Checks an answer; returns what is wrong with it. */
  readonly verify?: (body: Buffer) => string | undefined;
}

/** Requests of one row x FP32[1, features] for a model. */
export function rowsOf(model: string, features: number): TrafficKind {
  return { name: model, request: rowRequest(model, features) };
}

/** What happened to one kind of request. */
export interface TrafficCount {
  readonly sent: number;
  readonly failed: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
  readonly failures: readonly string[];
}

/** Distinct failures kept for the report. */
const keptFailures = 5;

/** Steady closed-loop traffic over several models until stopped. */
export class Traffic {
  readonly #client: InferClient;
  readonly #stop = new AbortController();
  readonly #counts = new Map<string, { latencies: number[]; failed: number; failures: Set<string> }>();
  readonly #loops: Promise<void>[];

  constructor(o: { client: InferClient; kinds: readonly TrafficKind[]; inFlight: number; pauseMs?: number }) {
    this.#client = o.client;
    for (const kind of o.kinds) this.#counts.set(kind.name, { latencies: [], failed: 0, failures: new Set() });
    this.#loops = Array.from({ length: o.inFlight }, (_, i) => this.#loop(o.kinds, i, o.pauseMs ?? 0));
  }

  /** What happened since the last call, by kind. */
  take(): Map<string, TrafficCount> {
    const result = new Map<string, TrafficCount>();
    for (const [name, count] of this.#counts) {
      const sorted = count.latencies.toSorted((a, b) => a - b);
      const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
      result.set(name, {
        sent: sorted.length + count.failed,
        failed: count.failed,
        p50: at(0.5),
        p99: at(0.99),
        worst: at(1),
        failures: [...count.failures],
      });
      this.#counts.set(name, { latencies: [], failed: 0, failures: new Set() });
    }
    return result;
  }

  /** Sends no more; resolves when every answer is in. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#loops);
  }

  async #loop(kinds: readonly TrafficKind[], start: number, pauseMs: number): Promise<void> {
    for (let i = start; !this.#stop.signal.aborted; i += 1) {
      const kind = kinds[i % kinds.length] as TrafficKind;
      const startedAt = performance.now();
      const outcome = await this.#client.infer(kind.request);
      this.#note(kind, outcome, performance.now() - startedAt);
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  #note(kind: TrafficKind, outcome: InferOutcome, ms: number): void {
    const count = this.#counts.get(kind.name);
    if (count === undefined) return;
    const problem = outcome.ok ? kind.verify?.(outcome.body) : `${outcome.code}: ${outcome.message}`;
    if (problem === undefined) {
      count.latencies.push(ms);
      return;
    }
    count.failed += 1;
    if (count.failures.size < keptFailures) count.failures.add(`${problem} after ${ms.toFixed(0)} ms`);
  }
}

/** All kinds together. */
export function total(counts: ReadonlyMap<string, TrafficCount>): TrafficCount {
  const all = [...counts.values()];
  const sum = (pick: (count: TrafficCount) => number) => all.reduce((total_, count) => total_ + pick(count), 0);
  const most = (pick: (count: TrafficCount) => number) => Math.max(0, ...all.map(pick));
  return {
    sent: sum((c) => c.sent),
    failed: sum((c) => c.failed),
    p50: most((c) => c.p50),
    p99: most((c) => c.p99),
    worst: most((c) => c.worst),
    failures: all.flatMap((c) => c.failures),
  };
}
