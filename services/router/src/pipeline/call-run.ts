import { AimassError } from "@aimass/core";
import type { UnaryResult } from "@aimass/h2";
import type { Placement } from "../replicas/placement.ts";
import type { ModelRoutes, VersionRoutes } from "../routes/model-routes.ts";
import { resolveVersion } from "../routes/resolve-version.ts";
import { predictWaitMs, refuseByWait } from "./admission.ts";
import { Attempt, type AttemptOutcome } from "./attempt.ts";
import type { AdmitVersion, ReplicaCall, Served } from "./call.ts";
import type { CallMeans } from "./call-means.ts";
import { deadlinePassed, noReplica, replicaLost } from "./failures.ts";
import type { AnswerCode } from "./outcome.ts";
import { pickOfTwo } from "./pick.ts";
import { replicaRequest } from "./replica-request.ts";
import { refuseRetry } from "./retry.ts";
import { chooseShard, loadBound, neededReplicas } from "./shard.ts";

/** First wait between two rounds over all replicas; it doubles. */
const roundWaitMs = 10;

/** The state of one call over its attempts. */
export class CallRun {
  readonly #means: CallMeans;
  readonly #random: () => number;
  readonly #call: ReplicaCall;
  readonly #admit: AdmitVersion;
  readonly #isBodyKept: boolean;
  #model: ModelRoutes;
  #attempts = 0;
  #startedFailures = 0;
  #upstreamMs = 0;
  /** A retry was taken from the budget and not used yet. */
  #hasRetry = false;
  #rounds = 0;
  #heldSince: number | undefined;
  readonly #tried = new Set<Placement>();
  #lastRefusal: Extract<AttemptOutcome, { kind: "failure" }> | undefined;

  constructor(options: {
    means: CallMeans;
    random: () => number;
    model: ModelRoutes;
    call: ReplicaCall;
    admit: AdmitVersion;
    isBodyKept: boolean;
  }) {
    this.#means = options.means;
    this.#random = options.random;
    this.#model = options.model;
    this.#call = options.call;
    this.#admit = options.admit;
    this.#isBodyKept = options.isBodyKept;
  }

  async run(): Promise<Served> {
    while (true) {
      this.#assertTime();
      const routes = resolveVersion(this.#model, this.#call.version, this.#call.caller.draw);
      // Each time: the routes may have changed while the call waited.
      this.#admit(routes);
      const placement = this.#choose(routes);
      if (placement === undefined) {
        const refused = this.#refusedByQueue(routes);
        if (refused !== undefined) return refused;
        await this.#wait(routes);
        continue;
      }
      const sentAt = this.#means.clock.monotonic();
      const outcome = await this.#attempt(placement, routes);
      this.#upstreamMs += this.#means.clock.monotonic() - sentAt;
      const served = this.#conclude(outcome, placement, routes);
      if (served !== undefined) return served;
    }
  }

  /** shard → pick, without the replicas that were tried. */
  #choose(routes: VersionRoutes): Placement | undefined {
    const now = this.#means.clock.monotonic();
    const usable: Placement[] = [];
    const closed: Placement[] = [];
    let inFlight = 0;
    let load = 0;
    for (const placement of this.#means.pool.placements(routes)) {
      if (!placement.replica.isUsable || this.#tried.has(placement)) continue;
      usable.push(placement);
      inFlight += placement.inFlight;
      load += placement.replica.load(now);
      if (placement.breaker.allows(now)) closed.push(placement);
    }
    // When everything is ejected, trying is better than refusing.
    const candidates = closed.length > 0 ? closed : usable;
    if (candidates.length === 0) return undefined;
    if (this.#attempts === 0) this.#assertReach(candidates, now);
    const needed = neededReplicas(inFlight, this.#means.inFlightPerReplica);
    const bound = loadBound(load, usable.length);
    const shard = chooseShard(candidates, (p) => p.replica.load(now), { needed, bound });
    return pickOfTwo(shard, (p) => p.cost(now), this.#random);
  }

  #assertReach(candidates: readonly Placement[], now: number): void {
    const queues = candidates.map((p) => ({ load: p.replica.load(now), serviceMs: p.latency.serviceMs }));
    const refusal = refuseByWait(predictWaitMs(queues), this.#call.caller.deadlineAt - now);
    if (refusal !== undefined) throw refusal;
  }

  #attempt(placement: Placement, routes: VersionRoutes): Promise<AttemptOutcome> {
    this.#attempts += 1;
    if (this.#attempts > 1) this.#means.metrics.retries.add();
    const { clock } = this.#means;
    const mayMove = () => this.#mayMove(routes, placement);
    const { refusedTokens } = this.#means;
    const attempt = new Attempt({ placement, format: this.#call.format, clock, mayMove, refusedTokens });
    return attempt.send(replicaRequest(this.#means, this.#call, routes, this.#attempts));
  }

  /** Whether a call on a silent replica can be sent elsewhere at once. */
  #mayMove(routes: VersionRoutes, from: Placement): boolean {
    if (!this.#call.isIdempotent || !this.#isBodyKept || this.#startedFailures > 0) return false;
    const others = this.#means.pool.placements(routes);
    const hasOther = others.some((p) => p !== from && !this.#tried.has(p) && p.replica.isUsable);
    // Taken before the call is given up on the silent replica: there it may still be answered.
    if (!hasOther || !this.#means.budget.take()) return false;
    this.#hasRetry = true;
    return true;
  }

  #conclude(outcome: AttemptOutcome, placement: Placement, routes: VersionRoutes): Served | undefined {
    switch (outcome.kind) {
      case "answer":
        return this.#served(outcome.result, outcome.code, routes);
      case "cancelled":
        throw new AimassError("CANCELLED", "The caller went away.");
      case "timeout":
        throw deadlinePassed();
      case "failure":
        return this.#afterFailure(outcome, placement, routes);
    }
  }

  #afterFailure(
    outcome: Extract<AttemptOutcome, { kind: "failure" }>,
    placement: Placement,
    routes: VersionRoutes,
  ): Served | undefined {
    this.#tried.add(placement);
    if (outcome.wasStarted) this.#startedFailures += 1;
    else this.#lastRefusal = outcome;
    const refusal = refuseRetry({
      wasStarted: outcome.wasStarted,
      wasOverloaded: outcome.code === "RESOURCE_EXHAUSTED",
      startedFailures: this.#startedFailures,
      isIdempotent: this.#call.isIdempotent,
      isBodyKept: this.#isBodyKept,
      remainingMs: this.#remainingMs(),
      takeBudget: () => this.#takeRetry(),
    });
    if (refusal === undefined) return undefined;
    if (outcome.result !== undefined) return this.#served(outcome.result, outcome.code, routes);
    if (refusal === "deadline") throw deadlinePassed();
    throw replicaLost(refusal);
  }

  #served(result: UnaryResult, code: AnswerCode, routes: VersionRoutes): Served {
    return { result, code, version: routes.version, upstreamMs: this.#upstreamMs };
  }

  /** A full queue is not waited for: its answer says when to come back. */
  #refusedByQueue(routes: VersionRoutes): Served | undefined {
    const last = this.#lastRefusal;
    if (last?.code !== "RESOURCE_EXHAUSTED" || last.result === undefined) return undefined;
    return this.#served(last.result, last.code, routes);
  }

  /** No replica to send to. When all were tried they are tried again after a short wait; when none is up the call is held a while. */
  async #wait(routes: VersionRoutes): Promise<void> {
    const { room, clock, holdMs, pool } = this.#means;
    // Nobody waits for what has not come for longer than anybody would wait: a quarantined version must not fill the room.
    if (pool.unservedMs(routes) > holdMs) throw noReplica(this.#model, routes);
    const now = clock.monotonic();
    this.#heldSince ??= now;
    const leftMs = Math.min(this.#heldSince + holdMs - now, this.#remainingMs());
    if (leftMs <= 0) throw this.#remainingMs() <= 0 ? deadlinePassed() : noReplica(this.#model, routes);
    const waitMs = this.#tried.size > 0 ? Math.min(leftMs, roundWaitMs * 2 ** Math.min(this.#rounds, 6)) : leftMs;
    this.#rounds += 1;
    if (!(await room.wait(waitMs, this.#call.caller.signal))) throw noReplica(this.#model, routes);
    if (this.#call.caller.signal.aborted) throw new AimassError("CANCELLED", "The caller went away.");
    this.#tried.clear();
    this.#model = this.#means.table.models.get(this.#model.name) ?? this.#model;
  }

  #takeRetry(): boolean {
    if (!this.#hasRetry) return this.#means.budget.take();
    this.#hasRetry = false;
    return true;
  }

  #remainingMs(): number {
    return this.#call.caller.deadlineAt - this.#means.clock.monotonic();
  }

  #assertTime(): void {
    if (this.#remainingMs() <= 0) throw deadlinePassed();
  }
}
