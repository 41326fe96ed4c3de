import { Change, type Event } from "@aimass/api/events";
import type { ServableModel } from "@aimass/api/registry";
import { type DeploymentStatus, DeploymentStatusSchema, RolloutPhase } from "@aimass/api/scheduler";
import { AimassError, type Clock, deadlineSignal } from "@aimass/core";
import type { EventBus } from "@aimass/events";
import { parseModelName } from "@aimass/identity";
import { holdLease } from "@aimass/store";
import type { Logger } from "@aimass/telemetry";
import { clone, equals } from "@bufbuild/protobuf";
import { timestampDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { type Changes, runOnChange } from "../changes.ts";
import type { SchedulerStore, SchedulerTransaction } from "../database.ts";
import type { Deployments } from "../deployments/postgres-deployments.ts";
import { noteHappening } from "../deployments/postgres-history.ts";
import { forgetGone } from "../fleet/postgres-fleet.ts";
import { retainHeld, toLibraryModel } from "../library/library-model.ts";
import { withMeasured } from "../library/measured-memory.ts";
import type { ReadLibrary } from "../library/registry-library.ts";
import type { SchedulerMetrics } from "../metrics.ts";
import { type Outcome, reconcile } from "../reconcile/reconcile.ts";
import type { ModelKey, Snapshot } from "../reconcile/snapshot.ts";
import { type NextRoutes, nextRoutes, readRouteLog, saveRoutes } from "../routes/postgres-routes.ts";
import type { RouteLog } from "../routes/route-log.ts";
import { type Decided, type DecidedChanges, diffDecided, readDecided, saveDecided } from "../state/decided.ts";
import { judgeObserved, type Observed, readObserved } from "../state/observed.ts";
import { LibraryFollower } from "./library-follower.ts";
import { earliestExpiry, nextTick } from "./next-tick.ts";
import { findTransitions, type Transition } from "./transitions.ts";

export interface LeaderTimings {
  /** How long a leader that fell silent stays the leader. */
  readonly leaderTtlMs: number;
  /** Longest wait between two passes. */
  readonly tickMs: number;
  readonly leaseMs: number;
  readonly drainMs: number;
  readonly libraryMs: number;
  /** Agents and replicas gone for longer are forgotten. */
  readonly forgetMs: number;
}

export interface LeaderOptions {
  readonly store: SchedulerStore;
  readonly changes: Changes;
  readonly bus: EventBus;
  readonly deployments: Pick<Deployments, "removeWithModel">;
  readonly readLibrary: ReadLibrary;
  readonly holder: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: SchedulerMetrics;
  readonly timings: LeaderTimings;
}

/** How long a pass waits for the library because of a new deployment. */
const newSpecPatienceMs = 500;

/** How often what is long gone is looked for. */
const forgetEveryMs = 60_000;

/** Registry events after which the library is read again. */
const libraryEvents = ["aliasMoved", "versionChanged", "modelChanged"] as const;

/** Competes for the lead, and while it has it, reconciles: on every change and every tick. */
export class Leader {
  readonly #options: LeaderOptions;
  #leading = false;

  constructor(options: LeaderOptions) {
    this.#options = options;
  }

  get isLeading(): boolean {
    return this.#leading;
  }

  run(signal: AbortSignal): Promise<void> {
    const { store, holder, clock, log, timings } = this.#options;
    return holdLease({
      store,
      name: "leader",
      holder,
      ttlMs: timings.leaderTtlMs,
      clock,
      signal,
      onAcquired: (lost, token) => this.#lead(lost, token),
      onFailure: (error) => log.warn("lead not held", { error }),
    });
  }

  async #lead(lost: AbortSignal, token: bigint): Promise<void> {
    const { bus, log, deployments } = this.#options;
    const term = await Term.begin(this.#options, token);
    this.#leading = true;
    log.info("lead taken", { token: String(token) });
    try {
      const handle = async (event: Event) => {
        await endOfDeletedModel(deployments, event);
        await term.libraryChanged();
      };
      const subscribing = bus.subscribe({ consumer: "scheduler", kinds: libraryEvents, signal: lost, handle });
      subscribing.catch((error: unknown) =>
        log.warn("registry events not heard; the library is read by the clock", { error }),
      );
      await term.run(lost);
    } finally {
      this.#leading = false;
      log.info("lead given up");
    }
  }
}

/** A deployment goes with its model: one that stayed would wait for the next model of that name. Bears repetition. */
async function endOfDeletedModel(
  deployments: LeaderOptions["deployments"],
  { payload, occurredAt }: Event,
): Promise<void> {
  if (payload.case !== "modelChanged" || payload.value.change !== Change.DELETED || occurredAt === undefined) return;
  const { project, model } = payload.value;
  await deployments.removeWithModel(`${project}.${model}`, "service:scheduler", timestampDate(occurredAt));
}

/** What a pass has to write. */
interface Writes {
  readonly decided: DecidedChanges;
  readonly routes: NextRoutes | undefined;
  readonly transitions: readonly Transition[];
  /** The time, when agents and replicas long gone are to be forgotten now. */
  readonly forget: number | undefined;
}

/** One time of leading. Its state is what the database has, kept at hand because nobody else may write it; after a failed write it is read again. */
class Term {
  readonly #options: LeaderOptions;
  readonly #token: bigint;
  readonly #since: number;
  readonly #library: LibraryFollower;
  #forgotAt = 0;
  #known: { decided: Decided; routes: RouteLog } | undefined;
  readonly #seenEtags = new Set<string>();
  #wake = () => {};
  #nextTickMs: number;

  private constructor(options: LeaderOptions, token: bigint, since: number) {
    this.#options = options;
    this.#token = token;
    this.#since = since;
    this.#nextTickMs = options.timings.tickMs;
    this.#library = new LibraryFollower({
      read: options.readLibrary,
      clock: options.clock,
      log: options.log,
      everyMs: options.timings.libraryMs,
      onRead: () => this.#wake(),
    });
  }

  /** Raises the fence: from here on a leader before this one cannot write. */
  static async begin(options: LeaderOptions, token: bigint): Promise<Term> {
    const { rows } = await sql<{ now: string }>`
      update route_head set leader_token = ${String(token)} where leader_token < ${String(token)}
      returning (extract(epoch from clock_timestamp()) * 1000)::bigint as now`.execute(options.store.db);
    if (rows[0] === undefined) throw new Error("A newer leader is at work.");
    return new Term(options, token, Number(rows[0].now));
  }

  async libraryChanged(): Promise<void> {
    this.#library.refresh();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, changes, log } = this.#options;
    const passes = runOnChange({
      clock,
      tickMs: () => this.#nextTickMs,
      signal,
      subscribe: (wake) => {
        this.#wake = wake;
        return changes.on(["fleet", "desired"], wake);
      },
      work: () => this.#tryReconcile(),
      onFailure: (error) => {
        const isOutage = error instanceof AimassError && error.code === "UNAVAILABLE";
        log[isOutage ? "warn" : "error"]("pass failed", { error });
      },
    });
    await Promise.all([passes, this.#library.run(signal)]);
  }

  async #tryReconcile(): Promise<void> {
    try {
      await this.#reconcile();
    } catch (error) {
      // Whether the write happened is unknown: what is at hand may be wrong.
      this.#known = undefined;
      this.#nextTickMs = this.#options.timings.tickMs;
      this.#options.metrics.failedPasses.add(1);
      throw error;
    }
  }

  async #reconcile(): Promise<void> {
    const { store, metrics, clock } = this.#options;
    const started = clock.monotonic();
    this.#known ??= { decided: await readDecided(store.db), routes: await readRouteLog(store) };
    const { decided, routes } = this.#known;
    const observed = await readObserved(store.db);
    await this.#meetNewSpecs(observed);
    const library = this.#mergeLibrary(observed, decided);
    const snapshot = this.#snapshot(observed, decided, library);
    const outcome = reconcile(snapshot);
    const after = { decisions: outcome.decisions, library, statuses: datedStatuses(decided, outcome, observed.now) };
    await this.#write(
      {
        decided: diffDecided(decided, after),
        routes: nextRoutes(routes, outcome.routes),
        transitions: findTransitions(decided.statuses, after.statuses),
        forget: observed.now - this.#forgotAt >= forgetEveryMs ? observed.now : undefined,
      },
      routes,
    );
    this.#known = { decided: after, routes };
    this.#nextTickMs = nextTick(snapshot, outcome, earliestExpiry(observed), this.#options.timings.tickMs);
    metrics.passSeconds.record((clock.monotonic() - started) / 1000);
  }

  /** A pass that changes nothing writes nothing. */
  async #write(writes: Writes, routes: RouteLog): Promise<void> {
    const { decided, routes: next, transitions, forget } = writes;
    if (decided.length === 0 && next === undefined && transitions.length === 0 && forget === undefined) return;
    await this.#options.store.withTransaction((tx) => this.#save(tx, writes));
    if (next !== undefined) routes.apply(next.head, next.changes);
    if (forget !== undefined) this.#forgotAt = forget;
    this.#note(transitions);
  }

  /** A deployment may be younger than the last look at the library; for a new one it is read again, if that goes quickly. */
  async #meetNewSpecs(observed: Observed): Promise<void> {
    const isKnown = observed.etags.every((etag) => this.#seenEtags.has(etag));
    if (isKnown) return;
    using patience = deadlineSignal(newSpecPatienceMs);
    await this.#library.readNow(patience.signal);
    for (const etag of observed.etags) this.#seenEtags.add(etag);
  }

  /** Without a registry the library is what it was when it was last read. */
  #mergeLibrary(observed: Observed, decided: Decided): ReadonlyMap<ModelKey, ServableModel> {
    const { placements } = decided.decisions;
    const keys = new Set(observed.specs.map((spec) => `${spec.project}.${spec.model}`));
    for (const placement of placements) keys.add(placement.key);
    const held = new Set(placements.map((p) => `${p.key}@${p.version}`));
    const fresh = this.#library.models;
    const merged = new Map<ModelKey, ServableModel>();
    for (const key of [...keys].sort()) {
      const kept = decided.library.get(key);
      const model = fresh === undefined ? kept : retainHeld(fresh.get(key), kept, (v) => held.has(`${key}@${v}`));
      if (model !== undefined) merged.set(key, model);
    }
    return merged;
  }

  #snapshot(observed: Observed, decided: Decided, library: ReadonlyMap<ModelKey, ServableModel>): Snapshot {
    const { leaseMs, drainMs } = this.#options.timings;
    const judged = judgeObserved(observed, { leaderSince: this.#since, leaseMs });
    const models = new Map([...library].map(([key, model]) => [key, toLibraryModel(model)]));
    return {
      ...judged,
      timings: { drainMs },
      models: withMeasured(models, judged.replicas),
      decisions: decided.decisions,
    };
  }

  async #save(tx: SchedulerTransaction, { decided, routes, transitions, forget }: Writes): Promise<void> {
    const { rows } = await sql<{ leader_token: string }>`select leader_token from route_head for update`.execute(tx);
    if (BigInt(rows[0]?.leader_token ?? 0) !== this.#token) throw new Error("A newer leader is at work.");
    await saveDecided(tx, decided);
    if (routes !== undefined) await saveRoutes(tx, routes);
    for (const transition of transitions) await this.#publish(tx, transition);
    if (forget !== undefined) await forgetGone(tx, this.#options.timings.forgetMs);
    if (decided.length > 0 || routes !== undefined) await this.#options.changes.tell(tx, "decided");
  }

  async #publish(tx: SchedulerTransaction, transition: Transition): Promise<void> {
    const { key, alias, version, phase, reason } = transition;
    const { project, model } = parseModelName(key);
    await this.#options.bus.publishFrom(tx, {
      actor: "service:scheduler",
      resource: alias === "" ? key : `${key}@${alias}`,
      audited: true,
      payload: { case: "rolloutChanged", value: { project, model, alias, version: BigInt(version), phase, reason } },
    });
    const value = { alias, version: BigInt(version), phase: RolloutPhase[phase], reason };
    await noteHappening(tx, key, { actor: "service:scheduler", happening: { case: "rolloutStep", value } });
  }

  #note(transitions: readonly Transition[]): void {
    const { log, metrics } = this.#options;
    for (const transition of transitions) {
      metrics.transitions.add(1, { phase: transition.phase });
      log.info(transition.phase === "SERVING" ? "alias shifted" : "version refused", { ...transition });
    }
  }
}

/** Statuses with the time of their last change. */
function datedStatuses(before: Decided, outcome: Outcome, nowMs: number): Map<ModelKey, DeploymentStatus> {
  const result = new Map<ModelKey, DeploymentStatus>();
  for (const [key, status] of outcome.statuses) {
    const old = before.statuses.get(key);
    const dated = clone(DeploymentStatusSchema, status);
    if (old?.changedAt !== undefined) dated.changedAt = old.changedAt;
    if (old !== undefined && equals(DeploymentStatusSchema, old, dated)) result.set(key, old);
    else result.set(key, { ...dated, changedAt: timestampFromMs(nowMs) });
  }
  return result;
}
