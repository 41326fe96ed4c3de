import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import {
  type ReplicaRoute,
  type RouteEntry,
  RouteEntrySchema,
  type RouteUpdate,
  RouteUpdateSchema,
} from "@aimass/api/scheduler";
import { AimassError, type Clock } from "@aimass/core";
import { KeyedState } from "@aimass/identity";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type ModelRoutes, readModelRoute } from "./model-routes.ts";

/** Holds the newest routes this router knows. Takes updates whose digest fits and keeps the state before when it does not. */
export class RouteTable {
  /** By "project.model". */
  readonly models: ReadonlyMap<string, ModelRoutes>;
  /** By replica id. */
  readonly replicas: ReadonlyMap<string, ReplicaRoute>;
  readonly #models = new Map<string, ModelRoutes>();
  readonly #replicas = new Map<string, ReplicaRoute>();
  readonly #forget = new Map<string, () => void>();
  readonly #listeners = new Set<() => void>();
  readonly #clock: Clock;
  readonly #state = new KeyedState();
  #head: RouteUpdate = create(RouteUpdateSchema);

  constructor(clock: Clock) {
    this.#clock = clock;
    this.models = this.#models;
    this.replicas = this.#replicas;
  }

  /** "" while there is no state. */
  get epoch(): string {
    return this.#head.epoch;
  }

  /** 0n while there is no state. */
  get version(): bigint {
    return this.#head.version;
  }

  get hasState(): boolean {
    return this.#head.epoch !== "";
  }

  /** Milliseconds since the scheduler said that this state is the newest; Infinity while there is none. */
  ageMs(): number {
    const { issuedAt } = this.#head;
    return issuedAt === undefined ? Number.POSITIVE_INFINITY : Math.max(0, this.#clock.now() - timestampMs(issuedAt));
  }

  /** Calls back after each change of the state until disposed. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Takes an update. Throws FAILED_PRECONDITION (ROUTE_GAP), with the state as before, when it does not continue what is held. */
  apply(update: RouteUpdate): void {
    this.#assertOrder(update);
    const entries = new Map(update.entries.map((entry) => [entry.key, entry]));
    const changed = new Map(update.entries.map((entry) => [entry.key, toBinary(RouteEntrySchema, entry)]));
    const removed = update.full ? [...this.#state.keys()].filter((key) => !changed.has(key)) : update.removedKeys;
    const undo = this.#state.apply({ changed, removed });
    if (Buffer.compare(this.#state.digest(), update.digest) !== 0) {
      this.#state.apply(undo);
      throw gap("does not lead from the state that is held to its digest");
    }
    this.#head = { ...update, entries: [], removedKeys: [] };
    for (const key of removed) this.#remove(key);
    for (const entry of entries.values()) this.#put(entry);
    if (removed.length > 0 || entries.size > 0) for (const listener of this.#listeners) listener();
  }

  /** The whole state as one full update. */
  toBytes(): Uint8Array {
    const entries = [...this.#state].map(([, bytes]) => fromBinary(RouteEntrySchema, bytes));
    return toBinary(RouteUpdateSchema, { ...this.#head, full: true, entries, removedKeys: [] });
  }

  /** Writes the state to a file, whole or not at all. Does nothing while there is none. */
  async save(file: string): Promise<void> {
    if (!this.hasState) return;
    const bytes = this.toBytes();
    await mkdir(dirname(file), { recursive: true });
    const fresh = `${file}.${process.pid}.new`;
    await writeFile(fresh, bytes, { mode: 0o600 });
    await rename(fresh, file);
  }

  /** Reads a saved state; true when it was taken. A missing or damaged file is left alone. */
  async load(file: string): Promise<boolean> {
    try {
      this.apply(fromBinary(RouteUpdateSchema, await readFile(file)));
      return true;
    } catch {
      return false;
    }
  }

  #assertOrder(update: RouteUpdate): void {
    const isSameEpoch = update.epoch === this.epoch;
    if (!update.full && !isSameEpoch) throw gap("continues another epoch");
    if (isSameEpoch && update.version < this.version) throw gap("is older than the state that is held");
  }

  #put(entry: RouteEntry): void {
    this.#remove(entry.key);
    if (entry.entry.case === "replica") {
      const replica = entry.entry.value;
      this.#replicas.set(replica.id, replica);
      this.#forget.set(entry.key, () => this.#replicas.delete(replica.id));
    } else if (entry.entry.case === "model") {
      const routes = readModelRoute(entry.entry.value);
      this.#models.set(routes.name, routes);
      this.#forget.set(entry.key, () => this.#models.delete(routes.name));
    }
  }

  #remove(key: string): void {
    this.#forget.get(key)?.();
    this.#forget.delete(key);
  }
}

function gap(what: string): AimassError {
  return new AimassError("FAILED_PRECONDITION", `The route update ${what}.`, {
    reason: "ROUTE_GAP",
    remedy: "Ask for a full snapshot.",
  });
}
