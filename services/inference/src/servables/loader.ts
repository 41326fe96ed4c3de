import type { Version } from "@aimass/api/registry";
import { AimassError, Backoff, type Clock, Semaphore } from "@aimass/core";
import type { BundleCache } from "../artifacts/bundle-cache.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { Servable } from "./servable.ts";
import { expectedBytes, type SessionKeeper } from "./session-keeper.ts";
import { warmUp } from "./warm-up.ts";

/** Bundles fetched at the same time. */
const fetches = 4;

/** Servables brought back at the same time. */
const recalls = 2;

/** Takes a servable from nothing to ready, and back. One load at a time, so that memory can be measured and runs keep their CPUs. */
export class Loader {
  readonly #cache: BundleCache;
  readonly #keeper: SessionKeeper;
  readonly #memory: MemoryBudget;
  readonly #clock: Clock;
  readonly #onRecalled: (seconds: number) => void;
  readonly #fetching = new Semaphore(fetches);
  readonly #loading = new Semaphore(1);
  /** Apart from loads: who asks for a model does not wait for a thousand others to be loaded first. */
  readonly #recalling = new Semaphore(recalls);
  readonly #recalled = new Set<Servable>();

  constructor(options: {
    cache: BundleCache;
    keeper: SessionKeeper;
    memory: MemoryBudget;
    clock: Clock;
    /** Hears how long bringing a servable back took. */
    onRecalled: (seconds: number) => void;
  }) {
    this.#cache = options.cache;
    this.#keeper = options.keeper;
    this.#memory = options.memory;
    this.#clock = options.clock;
    this.#onRecalled = options.onRecalled;
  }

  /**
   * Fetches, loads and warms. `changed` is told of every step. Rejects with what went wrong, all memory given back; a source that cannot be reached is asked again
   * until the signal aborts.
   */
  async load(servable: Servable, version: Version, signal: AbortSignal, changed: () => void): Promise<void> {
    const directory = await this.#fetching.run(() => this.#fetch(servable, version, signal, changed), signal);
    await this.#loading.run(() => this.#start(servable, graphIn(directory), signal, changed), signal);
  }

  /**
   * Notes that a ready servable is asked for, and brings one that was put aside back into memory: what waits in its queue runs then, or is refused with what went
   * wrong. Returns at once.
   */
  demanded(servable: Servable, version: Version, signal: AbortSignal): void {
    this.#keeper.used(servable);
    if (servable.isResident || this.#recalled.has(servable)) return;
    this.#recalled.add(servable);
    this.#recalling
      .run(() => this.#bringBack(servable, version, signal), signal)
      .catch((error: unknown) => servable.refuse(AimassError.from(error)))
      .finally(() => this.#recalled.delete(servable));
  }

  /** Frees the sessions of a servable that nothing runs on any more. */
  async unload(servable: Servable): Promise<void> {
    await this.#keeper.close(servable, servable.putAside());
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
    const { plan } = servable;
    const startedAt = this.#clock.monotonic();
    const before = process.memoryUsage.rss();
    servable.state = { kind: "loading" };
    changed();
    const { sessions, openMicros } = await this.#keeper.open(servable, path);
    try {
      signal.throwIfAborted();
      servable.state = { kind: "warming" };
      changed();
      const digests = await Promise.all(sessions.map((session) => warmUp(plan, session)));
      signal.throwIfAborted();
      const grown = process.memoryUsage.rss() - before;
      const memoryBytes = Math.max(expectedBytes(servable), plan.probedMemoryBytes > 0 ? 0 : grown);
      this.#memory.settle(servable, memoryBytes);
      const loadMicros = Math.round((this.#clock.monotonic() - startedAt) * 1000);
      servable.facts = { sessions, memoryBytes, openMicros, loadMicros, parityDigest: digests[0] ?? new Uint8Array() };
      servable.state = { kind: "ready" };
      this.#keeper.used(servable);
      changed();
    } catch (error) {
      await this.#keeper.close(servable, sessions);
      throw error;
    }
  }

  async #bringBack(servable: Servable, version: Version, signal: AbortSignal): Promise<void> {
    const startedAt = this.#clock.monotonic();
    const path = graphIn(await this.#cache.ensure(version, signal));
    const { sessions, openMicros } = await this.#keeper.open(servable, path);
    // It was unloaded meanwhile, with nobody left who waits for it.
    if (servable.state.kind !== "ready" && servable.pending === 0) return await this.#keeper.close(servable, sessions);
    servable.resume(sessions, openMicros);
    this.#keeper.used(servable);
    this.#onRecalled((this.#clock.monotonic() - startedAt) / 1000);
  }
}

function graphIn(directory: string): string {
  return `${directory}/model.onnx`;
}
