import { AimassError, type Clock, statusCodes } from "@aimass/core";
import type { PolicyStore } from "@aimass/identity";
import type { RouterMetrics } from "../metrics.ts";
import {
  assertRunnableVersion,
  assertVisibleVersion,
  findRunnableModel,
  findVisibleModel,
  signInFirst,
} from "../pipeline/access.ts";
import type { ReplicaCall, Served } from "../pipeline/call.ts";
import type { TracedCaller } from "../pipeline/caller-factory.ts";
import type { Quota } from "../pipeline/quota.ts";
import type { ReplicaCalls } from "../pipeline/replica-calls.ts";
import type { ModelRoutes, VersionRoutes } from "../routes/model-routes.ts";
import { resolveVersion } from "../routes/resolve-version.ts";
import type { RouteTable } from "../routes/route-table.ts";

/** A replica call whose caller is traced. */
export type InferenceCall = ReplicaCall & { readonly caller: TracedCaller };

/** Runs models for callers: verb → quota → replicas, counted and traced. */
export class Inference {
  readonly #policy: PolicyStore;
  readonly #table: RouteTable;
  readonly #calls: ReplicaCalls;
  readonly #quota: Quota;
  readonly #metrics: RouterMetrics;
  readonly #clock: Clock;
  /** Errors that metrics know already. */
  readonly #counted = new WeakSet<object>();

  constructor(options: {
    policy: PolicyStore;
    table: RouteTable;
    calls: ReplicaCalls;
    quota: Quota;
    metrics: RouterMetrics;
    clock: Clock;
  }) {
    this.#policy = options.policy;
    this.#table = options.table;
    this.#calls = options.calls;
    this.#quota = options.quota;
    this.#metrics = options.metrics;
    this.#clock = options.clock;
  }

  /** Runs a model. Throws what access, quota and the replicas refuse; an error of the model comes as the answer. */
  async run(call: InferenceCall): Promise<Served> {
    const startedAt = this.#clock.monotonic();
    const { span, principal } = call.caller;
    let model: ModelRoutes | undefined;
    try {
      const request = this.#accessRequest(call);
      model = findRunnableModel(request);
      this.#quota.enter(principal.id);
      try {
        const served = await this.#calls.run(model, call, (version) => assertRunnableVersion(request, version));
        this.#count(model, served, startedAt);
        if (served.code !== "OK") span.fail(served.code);
        return served;
      } finally {
        this.#quota.leave(principal.id);
      }
    } catch (error) {
      span.fail(error);
      this.#countRefusal(model, error, startedAt);
      throw error;
    } finally {
      span.end();
    }
  }

  /**
   * Throws what `run` would throw before it asks a replica, for who may not: to decide before a body is read. The decision is made again when the call runs.
   */
  assertRunnable(call: Pick<InferenceCall, "caller" | "model" | "version">): void {
    const request = this.#accessRequest(call);
    const model = findRunnableModel(request);
    assertRunnableVersion(request, resolveVersion(model, call.version, call.caller.draw));
  }

  /** Counts a call that was refused before it came to `run`: by its credential, its body, its frames. */
  countUnrun(error: unknown): void {
    if (typeof error === "object" && error !== null && this.#counted.has(error)) return;
    this.#countRefusal(undefined, error, this.#clock.monotonic());
  }

  /** Throws UNAUTHENTICATED for a caller without a credential whom nothing is granted: whatever model they mean, it is not for them. */
  assertNoStranger(caller: TracedCaller): void {
    const { policy } = this.#policy;
    const now = this.#clock.now();
    const maySomething = ["model.infer", "model.view"].some((verb) =>
      policy.allowsSomewhere(caller.principal, verb, now),
    );
    if (caller.principal.kind === "anonymous" && !maySomething) throw signInFirst();
  }

  /** Asks one replica about a model the caller may see. */
  async ask(call: InferenceCall): Promise<{ served: Served; model: ModelRoutes }> {
    try {
      const request = this.#accessRequest(call);
      const model = findVisibleModel(request);
      const served = await this.#calls.run(model, call, (version) => assertVisibleVersion(request, version));
      // The routes may have changed while the call waited for a replica.
      return { served, model: this.#table.models.get(model.name) ?? model };
    } finally {
      call.caller.span.end();
    }
  }

  /** The routes of a model the caller may see. Throws like `findVisibleModel`. */
  visible(call: Pick<InferenceCall, "caller" | "model" | "version">): ModelRoutes {
    return findVisibleModel(this.#accessRequest(call));
  }

  /** The version that a question about a model is answered for. Throws like `visible`, and NOT_FOUND for one the model does not have. */
  visibleVersion(call: Pick<InferenceCall, "caller" | "model" | "version">): VersionRoutes {
    const request = this.#accessRequest(call);
    const version = resolveVersion(findVisibleModel(request), call.version, call.caller.draw);
    assertVisibleVersion(request, version);
    return version;
  }

  #accessRequest(call: Pick<InferenceCall, "caller" | "model" | "version">) {
    return {
      policy: this.#policy.policy,
      principal: call.caller.principal,
      name: call.model,
      version: call.version,
      models: this.#table.models,
      nowMs: this.#clock.now(),
    };
  }

  #count(model: ModelRoutes, served: Served, startedAt: number): void {
    const elapsedMs = this.#clock.monotonic() - startedAt;
    const { version, code } = served;
    this.#metrics.count({ model: model.name, version, code, seconds: elapsedMs / 1000 });
    this.#metrics.overhead.record(Math.max(0, elapsedMs - served.upstreamMs) / 1000);
  }

  #countRefusal(model: ModelRoutes | undefined, error: unknown, startedAt: number): void {
    if (typeof error === "object" && error !== null) this.#counted.add(error);
    const code = error instanceof AimassError && error.code in statusCodes ? error.code : "INTERNAL";
    const seconds = (this.#clock.monotonic() - startedAt) / 1000;
    this.#metrics.count({ model: model?.name ?? "", version: "", code, seconds });
  }
}
