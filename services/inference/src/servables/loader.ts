import type { Version } from "@aimass/api/registry";
import { AimassError, Backoff, type Clock, Semaphore } from "@aimass/core";
import type { BundleCache } from "../artifacts/bundle-cache.ts";
import { type BatchFit, fitBatch } from "../profiling/fit-batch.ts";
import { isSlow, type ModelProfile } from "../profiling/model-profile.ts";
import type { Profiles } from "../profiling/profiles.ts";
import type { Servable } from "./servable.ts";
import type { SessionKeeper } from "./session-keeper.ts";
import { warmUp } from "./warm-up.ts";

/** Bundles fetched at the same time. */
const fetches = 4;

/** Servables brought back at the same time. */
const recalls = 2;

/** A version that was running when the last process died waits so long for the others, in milliseconds. */
const suspectMs = 60_000;

/** What is asked again: a peer that is away, and a token or grant that one of two wrong clocks refuses. What is no longer assigned is aborted. */
const passing: ReadonlySet<string> = new Set(["UNAVAILABLE", "UNAUTHENTICATED", "PERMISSION_DENIED"]);

/** How a version is loaded. */
export interface LoadTerms {
  readonly signal: AbortSignal;
  /** Whether it may have brought the last process down. */
  readonly isSuspect: boolean;
  /** Hears of every step. */
  readonly changed: () => void;
}

interface Measured {
  readonly profile: ModelProfile;
  readonly fit: BatchFit;
}

/**
 * Takes a servable from nothing to ready, and back. What a version takes is measured in a process made for that, before it is let in among others; those with a profile
 * from before do not wait for that. One load at a time, so that runs keep their CPUs.
 */
export class Loader {
  readonly #cache: BundleCache;
  readonly #keeper: SessionKeeper;
  readonly #profiles: Profiles;
  readonly #clock: Clock;
  readonly #onRecalled: (seconds: number) => void;
  readonly #fetching = new Semaphore(fetches);
  readonly #loading = new Semaphore(1);
  /** Apart from loads: who asks for a model does not wait for a thousand others to be loaded first. */
  readonly #recalling = new Semaphore(recalls);
  readonly #recalled = new Set<Servable>();
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: {
    cache: BundleCache;
    keeper: SessionKeeper;
    profiles: Profiles;
    clock: Clock;
    /** Hears how long bringing a servable back took. */
    onRecalled: (seconds: number) => void;
  }) {
    this.#cache = options.cache;
    this.#keeper = options.keeper;
    this.#profiles = options.profiles;
    this.#clock = options.clock;
    this.#onRecalled = options.onRecalled;
  }

  /**
   * Fetches, measures, loads and warms; `isSuspect`: after all others. `changed` is told of every step. Rejects with what went wrong, all memory given back; a source
   * that cannot be reached is asked again until the signal aborts.
   */
  async load(servable: Servable, version: Version, terms: LoadTerms): Promise<void> {
    const loading = this.#load(servable, version, terms);
    if (terms.isSuspect) return loading;
    this.#underWay.add(loading);
    await loading.finally(() => this.#underWay.delete(loading));
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
        if (!passing.has(failure.code)) throw failure;
        servable.state = { kind: "fetching", reason: `${failure.message} Trying again.` };
        changed();
        await this.#clock.sleep(backoff.next(), signal);
      }
    }
  }

  async #load(servable: Servable, version: Version, terms: LoadTerms): Promise<void> {
    const { signal, isSuspect, changed } = terms;
    const directory = await this.#fetching.run(() => this.#fetch(servable, version, signal, changed), signal);
    if (isSuspect) await Promise.race([Promise.allSettled(this.#underWay), this.#clock.sleep(suspectMs, signal)]);
    servable.state = { kind: "loading" };
    changed();
    await this.#keeper.foresee(servable);
    try {
      const path = graphIn(directory);
      const measured = await this.#measure(servable, path, signal);
      await this.#loading.run(() => this.#start(servable, path, measured, terms), signal);
    } catch (error) {
      this.#keeper.forgo(servable);
      throw error;
    }
  }

  async #measure(servable: Servable, path: string, signal: AbortSignal): Promise<Measured> {
    const { plan } = servable;
    const availableBytes = this.#keeper.availableFor(servable);
    const options = this.#keeper.optionsOf(servable, path);
    const profile = await this.#profiles.of({ plan, options, availableBytes, signal });
    const { maxBatchSize: maxRows, runLimitMs } = plan;
    return { profile, fit: fitBatch(profile, { maxRows, runLimitMs, availableBytes }) };
  }

  async #start(servable: Servable, path: string, { profile, fit }: Measured, terms: LoadTerms): Promise<void> {
    const { signal, changed } = terms;
    const { plan } = servable;
    const startedAt = this.#clock.monotonic();
    const { maxBatchSize, sessionBytes, leastBytes, why: batchLimit } = fit;
    const isApart = isSlow(profile);
    const { sessions, openMicros, memoryBytes } = await this.#keeper.open(servable, path, { isApart, sessionBytes });
    servable.judge(sessions[0]?.rows);
    try {
      signal.throwIfAborted();
      servable.state = { kind: "warming" };
      changed();
      const digests = await Promise.all(sessions.map((session) => warmUp(plan, session, profile, maxBatchSize)));
      signal.throwIfAborted();
      const loadMicros = Math.round((this.#clock.monotonic() - startedAt) * 1000);
      const size = { memoryBytes, leastBytes: leastBytes * sessions.length, maxBatchSize, batchLimit };
      const parityDigest = digests[0] ?? new Uint8Array();
      servable.facts = { sessions, isApart, profile, ...size, openMicros, loadMicros, parityDigest };
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
    const needs = { isApart: servable.facts?.isApart ?? false, sessionBytes: 0 };
    const { sessions, openMicros } = await this.#keeper.open(servable, path, needs);
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
