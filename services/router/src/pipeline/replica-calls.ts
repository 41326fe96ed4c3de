import { AimassError, type Clock } from "@aimass/core";
import type { UnaryResult } from "@aimass/h2";
import type { ServiceIdentity } from "@aimass/identity";
import type { RouterMetrics } from "../metrics.ts";
import type { Placement } from "../replicas/placement.ts";
import type { ReplicaPool } from "../replicas/replica-pool.ts";
import { type ModelRoutes, publicName, type VersionRoutes } from "../routes/model-routes.ts";
import { resolveVersion } from "../routes/resolve-version.ts";
import type { RouteTable } from "../routes/route-table.ts";
import { predictWaitMs, refuseByWait } from "./admission.ts";
import { Attempt, type AttemptOutcome } from "./attempt.ts";
import type { ReplicaCall, Served } from "./call.ts";
import { formatGrpcTimeout } from "./deadline.ts";
import type { KeptBodies } from "./kept-bodies.ts";
import type { AnswerCode } from "./outcome.ts";
import { pickOfTwo } from "./pick.ts";
import { type RetryBudget, refuseRetry } from "./retry.ts";
import { chooseShard, loadBound, neededReplicas } from "./shard.ts";
import type { WaitingRoom } from "./waiting-room.ts";

export interface ReplicaCallsOptions {
  readonly table: RouteTable;
  readonly pool: ReplicaPool;
  readonly identity: ServiceIdentity;
  readonly clock: Clock;
  readonly metrics: RouterMetrics;
  readonly budget: RetryBudget;
  readonly bodies: KeptBodies;
  readonly room: WaitingRoom;
  /** Calls in flight for each replica that a model is given. */
  readonly inFlightPerReplica: number;
  /** How long a call waits for a replica to come up. */
  readonly holdMs: number;
  readonly random?: () => number;
}

/** First wait between two rounds over all replicas; it doubles. */
const roundWaitMs = 10;

/** Sends calls to replicas: route → shard → pick → forward, and again when an attempt fails and may be repeated. */
export class ReplicaCalls {
  readonly #options: ReplicaCallsOptions;
  readonly #random: () => number;

  constructor(options: ReplicaCallsOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /**
   * Brings a replica's answer to a call. Throws NOT_FOUND (version), UNAVAILABLE (no replica, or lost during the call), RESOURCE_EXHAUSTED (deadline out
   * of reach), DEADLINE_EXCEEDED, CANCELLED.
   */
  async run(model: ModelRoutes, call: ReplicaCall): Promise<Served> {
    const { bodies, budget } = this.#options;
    const isBodyKept = bodies.keep(call.body.length);
    budget.earn();
    try {
      return await new CallRun(this.#options, this.#random, model, call, isBodyKept).run();
    } finally {
      if (isBodyKept) bodies.release(call.body.length);
    }
  }

  /** Sends one call to each replica that holds a version, and returns the answers of those that gave one. */
  async runOnAll(routes: VersionRoutes, call: ReplicaCall): Promise<Served[]> {
    const { pool, clock } = this.#options;
    const usable = pool.placements(routes).filter((p) => p.replica.isUsable);
    const outcomes = await Promise.all(
      usable.map((placement) =>
        new Attempt({ placement, format: call.format, clock, mayMove: () => true }).send(
          replicaRequest(this.#options, call, routes, 1),
        ),
      ),
    );
    return outcomes.flatMap((outcome) =>
      outcome.kind === "answer"
        ? [{ result: outcome.result, code: outcome.code, version: routes.version, upstreamMs: 0 }]
        : [],
    );
  }
}

/** The state of one call over its attempts. */
class CallRun {
  readonly #options: ReplicaCallsOptions;
  readonly #random: () => number;
  readonly #call: ReplicaCall;
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

  constructor(
    options: ReplicaCallsOptions,
    random: () => number,
    model: ModelRoutes,
    call: ReplicaCall,
    isBodyKept: boolean,
  ) {
    this.#options = options;
    this.#random = random;
    this.#model = model;
    this.#call = call;
    this.#isBodyKept = isBodyKept;
  }

  async run(): Promise<Served> {
    while (true) {
      this.#assertTime();
      const routes = resolveVersion(this.#model, this.#call.version, this.#call.caller.draw);
      const placement = this.#choose(routes);
      if (placement === undefined) {
        const refused = this.#refusedByQueue(routes);
        if (refused !== undefined) return refused;
        await this.#wait(routes);
        continue;
      }
      const sentAt = this.#options.clock.monotonic();
      const outcome = await this.#attempt(placement, routes);
      this.#upstreamMs += this.#options.clock.monotonic() - sentAt;
      const served = this.#conclude(outcome, placement, routes);
      if (served !== undefined) return served;
    }
  }

  /** shard → pick, without the replicas that were tried. */
  #choose(routes: VersionRoutes): Placement | undefined {
    const now = this.#options.clock.monotonic();
    const usable: Placement[] = [];
    const closed: Placement[] = [];
    let inFlight = 0;
    let load = 0;
    for (const placement of this.#options.pool.placements(routes)) {
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
    const needed = neededReplicas(inFlight, this.#options.inFlightPerReplica);
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
    if (this.#attempts > 1) this.#options.metrics.retries.add();
    const { clock } = this.#options;
    const mayMove = () => this.#mayMove(routes, placement);
    const attempt = new Attempt({ placement, format: this.#call.format, clock, mayMove });
    return attempt.send(replicaRequest(this.#options, this.#call, routes, this.#attempts));
  }

  /** Whether a call on a silent replica can be sent elsewhere at once. */
  #mayMove(routes: VersionRoutes, from: Placement): boolean {
    if (!this.#call.isIdempotent || !this.#isBodyKept || this.#startedFailures > 0) return false;
    const others = this.#options.pool.placements(routes);
    const hasOther = others.some((p) => p !== from && !this.#tried.has(p) && p.replica.isUsable);
    // Taken before the call is given up on the silent replica: there it may still be answered.
    if (!hasOther || !this.#options.budget.take()) return false;
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
      startedFailures: this.#startedFailures,
      isIdempotent: this.#call.isIdempotent,
      isBodyKept: this.#isBodyKept,
      remainingMs: this.#remainingMs(),
      takeBudget: () => this.#takeRetry(),
    });
    if (refusal === undefined) return undefined;
    if (outcome.result !== undefined) return this.#served(outcome.result, outcome.code, routes);
    if (refusal === "deadline") throw deadlinePassed();
    throw lost(refusal);
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
    const { room, clock, holdMs, pool } = this.#options;
    // Nobody waits for what has not come for longer than anybody would wait: a quarantined version must not fill the room.
    if (pool.unservedMs(routes) > holdMs) throw unavailable(this.#model, routes);
    const now = clock.monotonic();
    this.#heldSince ??= now;
    const leftMs = Math.min(this.#heldSince + holdMs - now, this.#remainingMs());
    if (leftMs <= 0) throw this.#remainingMs() <= 0 ? deadlinePassed() : unavailable(this.#model, routes);
    const waitMs = this.#tried.size > 0 ? Math.min(leftMs, roundWaitMs * 2 ** Math.min(this.#rounds, 6)) : leftMs;
    this.#rounds += 1;
    if (!(await room.wait(waitMs, this.#call.caller.signal))) throw unavailable(this.#model, routes);
    if (this.#call.caller.signal.aborted) throw new AimassError("CANCELLED", "The caller went away.");
    this.#tried.clear();
    this.#model = this.#options.table.models.get(this.#model.name) ?? this.#model;
  }

  #takeRetry(): boolean {
    if (!this.#hasRetry) return this.#options.budget.take();
    this.#hasRetry = false;
    return true;
  }

  #remainingMs(): number {
    return this.#call.caller.deadlineAt - this.#options.clock.monotonic();
  }

  #assertTime(): void {
    if (this.#remainingMs() <= 0) throw deadlinePassed();
  }
}

function replicaRequest(options: ReplicaCallsOptions, call: ReplicaCall, routes: VersionRoutes, attempt: number) {
  const { caller } = call;
  const remainingMs = Math.max(1, caller.deadlineAt - options.clock.monotonic());
  return {
    path: call.path(routes),
    headers: {
      ...call.headers,
      te: "trailers",
      "grpc-timeout": formatGrpcTimeout(remainingMs),
      traceparent: caller.traceparent,
      "aimass-service": options.identity.token(),
      "aimass-principal": caller.principal.id,
      "aimass-model": routes.model,
      "aimass-version": routes.version,
      "aimass-attempt": String(attempt),
    },
    body: call.body,
    signal: caller.signal,
    timeoutMs: remainingMs,
  };
}

function deadlinePassed(): AimassError {
  return new AimassError("DEADLINE_EXCEEDED", "The deadline passed before the model answered.");
}

function unavailable(model: ModelRoutes, routes: VersionRoutes): AimassError {
  const why = routes.unavailableReason === "" ? "No replica that holds it can be reached." : routes.unavailableReason;
  return new AimassError(
    "UNAVAILABLE",
    `Model "${publicName(model)}" version ${routes.version} cannot answer now: ${why}`,
    {
      reason: "NO_REPLICA",
      remedy: "Try again; `aimass status` shows the state of the replicas.",
      retryAfterMs: 1000,
    },
  );
}

function lost(why: string): AimassError {
  const message =
    why === "two-replicas-lost"
      ? "Two replicas were lost while this request ran on them; it is not sent to a third."
      : "The replica was lost during the call, and the call could not be repeated.";
  return new AimassError("UNAVAILABLE", message, { reason: "REPLICA_LOST", retryAfterMs: 500 });
}
