import type { Version } from "@aimass/api/registry";
import { AimassError, Backoff, type Clock, Semaphore } from "@aimass/core";
import type { BundleCache } from "../artifacts/bundle-cache.ts";
import type { SlotSession } from "../slots/slot.ts";
import type { SlotPool } from "../slots/slot-pool.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { Servable } from "./servable.ts";
import { warmUp } from "./warm-up.ts";

/** Bundles fetched at the same time. */
const fetches = 4;

/** Takes a servable from nothing to ready, and back. One load at a time, so that memory can be measured and runs keep their CPUs. */
export class Loader {
  readonly #cache: BundleCache;
  readonly #pool: SlotPool;
  readonly #memory: MemoryBudget;
  readonly #clock: Clock;
  readonly #executionProviders: readonly string[];
  readonly #fetching = new Semaphore(fetches);
  readonly #loading = new Semaphore(1);

  constructor(options: {
    cache: BundleCache;
    pool: SlotPool;
    memory: MemoryBudget;
    clock: Clock;
    executionProviders: readonly string[];
  }) {
    this.#cache = options.cache;
    this.#pool = options.pool;
    this.#memory = options.memory;
    this.#clock = options.clock;
    this.#executionProviders = options.executionProviders;
  }

  /**
   * Fetches, loads and warms. `changed` is told of every step. Rejects with what went wrong, all memory given back; a source that cannot be reached is asked again
   * until the signal aborts.
   */
  async load(servable: Servable, version: Version, signal: AbortSignal, changed: () => void): Promise<void> {
    const directory = await this.#fetching.run(() => this.#fetch(servable, version, signal, changed), signal);
    await this.#loading.run(() => this.#start(servable, `${directory}/model.onnx`, signal, changed), signal);
  }

  /** Frees the sessions of a servable that nothing runs on any more. */
  async unload(servable: Servable): Promise<void> {
    const sessions = servable.facts?.sessions ?? [];
    servable.facts = undefined;
    await this.#release(sessions);
    this.#memory.release(servable.key);
  }

  async #fetch(servable: Servable, version: Version, signal: AbortSignal, changed: () => void): Promise<string> {
    const backoff = new Backoff({ initialMs: 100, maxMs: 5000 });
    while (true) {
      try {
        return await this.#cache.ensure(version, signal);
      } catch (error) {
        signal.throwIfAborted();
        const failure = AimassError.from(error);
        if (failure.code !== "UNAVAILABLE" && failure.code !== "UNAUTHENTICATED") throw failure;
        servable.state = { kind: "fetching", reason: `${failure.message} Trying again.` };
        changed();
        await this.#clock.sleep(backoff.next(), signal);
      }
    }
  }

  async #start(servable: Servable, path: string, signal: AbortSignal, changed: () => void): Promise<void> {
    const { plan, key } = servable;
    const startedAt = this.#clock.monotonic();
    const expected = plan.probedMemoryBytes > 0 ? plan.probedMemoryBytes : plan.fileBytes;
    this.#memory.reserve(key, expected * plan.instances);
    const sessions: SlotSession[] = [];
    const before = process.memoryUsage.rss();
    try {
      servable.state = { kind: "loading" };
      changed();
      const hasBfloat16 = [...plan.inputs, ...plan.outputs].some((tensor) => tensor.datatype === "BF16");
      const options = { path, threads: plan.threads, hasBfloat16, executionProviders: this.#executionProviders };
      const slots = this.#pool.choose(plan.fileBytes, plan.instances);
      for (const slot of slots) sessions.push(await slot.load(plan.name, options, plan.runLimitMs));
      signal.throwIfAborted();
      servable.state = { kind: "warming" };
      changed();
      const digests = await Promise.all(sessions.map((session) => warmUp(plan, session)));
      signal.throwIfAborted();
      const grown = process.memoryUsage.rss() - before;
      const memoryBytes =
        Math.max(expected, plan.probedMemoryBytes > 0 ? 0 : grown / sessions.length) * sessions.length;
      this.#memory.settle(key, memoryBytes);
      const loadMicros = Math.round((this.#clock.monotonic() - startedAt) * 1000);
      servable.facts = { sessions, memoryBytes, loadMicros, parityDigest: digests[0] ?? new Uint8Array() };
      servable.state = { kind: "ready" };
      changed();
    } catch (error) {
      await this.#release(sessions);
      this.#memory.release(key);
      throw error;
    }
  }

  async #release(sessions: readonly SlotSession[]): Promise<void> {
    for (const session of sessions) {
      await session.slot.release(session);
      await this.#pool.giveBack(session.slot);
    }
  }
}
