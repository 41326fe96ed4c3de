import type { RouteUpdate } from "@aimass/api/scheduler";
import { type Clock, PushStream } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import { type Changes, runOnChange } from "../changes.ts";
import type { SchedulerStore } from "../database.ts";
import { readRouteLog, refreshRouteLog } from "./postgres-routes.ts";
import type { RouteLog } from "./route-log.ts";

export interface RouteFeedOptions {
  readonly store: SchedulerStore;
  readonly changes: Changes;
  readonly clock: Clock;
  readonly log: Logger;
  readonly tickMs: number;
  /** How often watchers get a sign of life. */
  readonly heartbeatMs: number;
}

interface Watcher {
  readonly stream: PushStream<RouteUpdate>;
  /** What it was sent last. */
  epoch: string;
  version: bigint;
}

/** Gives this process's routers the routes that the leader, wherever it is, wrote to the database. */
export class RouteFeed {
  readonly #options: RouteFeedOptions;
  readonly #watchers = new Set<Watcher>();
  #log: RouteLog | undefined;

  constructor(options: RouteFeedOptions) {
    this.#options = options;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** Undefined before the first read. */
  get version(): bigint | undefined {
    return this.#log?.head.version;
  }

  /** Follows the database until the signal aborts; watchers then end. */
  async run(signal: AbortSignal): Promise<void> {
    const { changes, clock, tickMs, log } = this.#options;
    const heartbeats = this.#beat(signal);
    await runOnChange({
      clock,
      tickMs,
      signal,
      subscribe: (wake) => changes.on(["decided"], wake),
      work: () => this.#refresh(),
      onFailure: (error) => log.warn("routes not refreshed", { error }),
    });
    await heartbeats;
    for (const watcher of this.#watchers) watcher.stream.end();
  }

  /** The updates for a caller that holds `version` of `epoch`. Starts as soon as the routes are known. */
  async *watch(epoch: string, version: bigint, signal: AbortSignal): AsyncGenerator<RouteUpdate> {
    const watcher: Watcher = { stream: new PushStream(), epoch, version };
    const end = () => watcher.stream.end();
    signal.addEventListener("abort", end, { once: true });
    this.#watchers.add(watcher);
    try {
      this.#send(watcher);
      yield* watcher.stream;
    } finally {
      this.#watchers.delete(watcher);
      signal.removeEventListener("abort", end);
    }
  }

  async #refresh(): Promise<void> {
    const { store } = this.#options;
    const next = this.#log === undefined ? await readRouteLog(store) : await refreshRouteLog(store, this.#log);
    if (next === undefined) return;
    this.#log = next;
    for (const watcher of this.#watchers) this.#send(watcher);
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const { clock, heartbeatMs } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(heartbeatMs, signal).catch(() => {});
      if (!signal.aborted) for (const watcher of this.#watchers) this.#send(watcher);
    }
  }

  /** For a watcher that is up to date this is the sign of life. */
  #send(watcher: Watcher): void {
    if (this.#log === undefined) return;
    const update = this.#log.updateSince(watcher.epoch, watcher.version, this.#options.clock.now());
    watcher.epoch = update.epoch;
    watcher.version = update.version;
    watcher.stream.push(update);
  }
}
