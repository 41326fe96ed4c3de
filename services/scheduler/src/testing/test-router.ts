import { RouteEntrySchema, RouteService } from "@aimass/api/scheduler";
import { type Address, systemClock } from "@aimass/core";
import { KeyedState, type ServiceIdentity } from "@aimass/identity";
import { createServiceClient } from "@aimass/rpc";
import { fromBinary } from "@bufbuild/protobuf";
import { routeEntryBytes } from "../routes/route-log.ts";

/** A router that follows the routes and checks every step's digest. */
export class TestRouter {
  readonly state = new KeyedState();
  /** Every update, in order, as "full" or "delta" with its version. */
  readonly steps: { epoch: string; version: bigint; full: boolean; at: number }[] = [];
  badDigests = 0;
  epoch = "";
  version = 0n;
  readonly #end = new AbortController();
  #running: Promise<void> = Promise.resolve();

  start(addresses: readonly Address[], identity: ServiceIdentity): this {
    const client = createServiceClient(RouteService, { addresses, identity });
    const { signal } = this.#end;
    this.#running = (async () => {
      while (!signal.aborted) {
        try {
          const held = { routerId: "test", epoch: this.epoch, version: this.version };
          for await (const { update } of client.watchRoutes(held, { signal })) {
            if (update === undefined) continue;
            if (update.full) for (const key of [...this.state.keys()]) this.state.delete(key);
            for (const key of update.removedKeys) this.state.delete(key);
            for (const entry of update.entries) this.state.set(entry.key, routeEntryBytes(entry));
            if (!Buffer.from(this.state.digest()).equals(update.digest)) this.badDigests += 1;
            this.epoch = update.epoch;
            this.version = update.version;
            this.steps.push({
              epoch: update.epoch,
              version: update.version,
              full: update.full,
              at: systemClock.monotonic(),
            });
          }
        } catch {
          await systemClock.sleep(50, signal).catch(() => {});
        }
      }
    })();
    return this;
  }

  /** Versions to replicas, and aliases to versions, of a model. */
  model(key: string): {
    versions: Record<number, readonly string[]>;
    aliases: Record<string, number>;
    reasons: string[];
  } {
    const bytes = this.state.get(`model/${key}`);
    const entry = bytes && fromBinary(RouteEntrySchema, bytes).entry;
    if (entry?.case !== "model") return { versions: {}, aliases: {}, reasons: [] };
    const { versions, aliases } = entry.value;
    return {
      versions: Object.fromEntries(versions.map((v) => [Number(v.version), v.replicaIds])),
      aliases: Object.fromEntries(aliases.flatMap((a) => a.targets.map((target) => [a.alias, Number(target.version)]))),
      reasons: versions.map((v) => v.unavailableReason).filter((reason) => reason !== ""),
    };
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }
}
