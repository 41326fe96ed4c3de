import { Semaphore } from "@aimass/core";
import type { Placement } from "../replicas/placement.ts";
import type { ModelRoutes, VersionRoutes } from "../routes/model-routes.ts";
import { Attempt, type AttemptOutcome } from "./attempt.ts";
import type { AdmitVersion, ReplicaCall, Served } from "./call.ts";
import type { CallMeans } from "./call-means.ts";
import { CallRun } from "./call-run.ts";
import { replicaRequest } from "./replica-request.ts";

/** Replicas asked at a time by calls that ask all of them: statistics of a large mesh are versions times replicas. */
const mostAsked = 64;

/** Sends calls to replicas: route → shard → pick → forward, and again when an attempt fails and may be repeated. */
export class ReplicaCalls {
  readonly #means: CallMeans;
  readonly #random: () => number;
  readonly #asking = new Semaphore(mostAsked);

  constructor(means: CallMeans) {
    this.#means = means;
    this.#random = means.random ?? Math.random;
  }

  /**
   * Brings a replica's answer to a call. Throws NOT_FOUND (version), UNAVAILABLE (no replica, or lost during the call), RESOURCE_EXHAUSTED (deadline out
   * of reach), DEADLINE_EXCEEDED, CANCELLED, and what `admit` throws for the version that was resolved.
   */
  async run(model: ModelRoutes, call: ReplicaCall, admit: AdmitVersion): Promise<Served> {
    const { bodies, budget } = this.#means;
    const isBodyKept = bodies.keep(call.body.length);
    budget.earn();
    try {
      return await new CallRun({ means: this.#means, random: this.#random, model, call, admit, isBodyKept }).run();
    } finally {
      if (isBodyKept) bodies.release(call.body.length);
    }
  }

  /** Sends one call to each replica that holds a version, and returns the answers of those that gave one. */
  async runOnAll(routes: VersionRoutes, call: ReplicaCall): Promise<Served[]> {
    const { pool, clock, refusedTokens } = this.#means;
    const usable = pool.placements(routes).filter((p) => p.replica.isUsable);
    const { signal } = call.caller;
    const ask = async (placement: Placement): Promise<AttemptOutcome> => {
      const attempt = new Attempt({ placement, format: call.format, clock, mayMove: () => true, refusedTokens });
      if (signal.aborted) return { kind: "cancelled" };
      return attempt.send(replicaRequest(this.#means, call, routes, 1));
    };
    const outcomes = await Promise.all(usable.map((placement) => this.#asking.run(() => ask(placement))));
    return outcomes.flatMap((outcome) =>
      outcome.kind === "answer"
        ? [{ result: outcome.result, code: outcome.code, version: routes.version, upstreamMs: 0 }]
        : [],
    );
  }
}
