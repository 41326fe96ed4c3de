import { readFile } from "node:fs/promises";
import { type ReplicaRoute, RouteEntrySchema, type RouteUpdate, RouteUpdateSchema } from "@aimass/api/scheduler";
import { AimassError, atOnce, type Clock, inTurns, type Pieces, writeWhole } from "@aimass/core";
import { entryChunks } from "@aimass/identity";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { ModelRoutes } from "./model-routes.ts";
import { RouteState } from "./route-state.ts";

/** Holds the newest routes this router knows. Takes updates whose digest fits and keeps the state before when it does not. */
export class RouteTable {
  readonly #listeners = new Set<() => void>();
  readonly #clock: Clock;
  #state = new RouteState();
  #head: RouteUpdate = create(RouteUpdateSchema);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** By "project.model". */
  get models(): ReadonlyMap<string, ModelRoutes> {
    return this.#state.models;
  }

  /** By replica id. */
  get replicas(): ReadonlyMap<string, ReplicaRoute> {
    return this.#state.replicas;
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
    atOnce(this.#take(update));
  }

  /** `apply`, a few milliseconds at a time: the state before answers until the whole of it is taken. Another update that is taken meanwhile wins. */
  applyInTurns(update: RouteUpdate): Promise<void> {
    return inTurns(this.#take(update), this.#clock);
  }

  *#take(update: RouteUpdate): Pieces<void> {
    this.#assertOrder(update);
    const changed = update.full ? yield* this.#replace(update) : this.#continue(update);
    this.#head = { ...update, entries: [], removedKeys: [] };
    if (changed) for (const listener of this.#listeners) listener();
  }

  *#replace(update: RouteUpdate): Pieces<boolean> {
    const head = this.#head;
    const state = yield* RouteState.of(update.entries);
    if (Buffer.compare(yield* state.bytes.digestInPieces(), update.digest) !== 0) throw wrongDigest();
    yield;
    if (this.#head !== head) throw gap("was overtaken by another");
    const changed = state.bytes.size > 0 || this.#state.bytes.size > 0;
    this.#state = state;
    return changed;
  }

  #continue(update: RouteUpdate): boolean {
    const { bytes } = this.#state;
    const entries = new Map(update.entries.map((entry) => [entry.key, entry]));
    const changed = new Map(update.entries.map((entry) => [entry.key, toBinary(RouteEntrySchema, entry)]));
    const undo = bytes.apply({ changed, removed: update.removedKeys });
    if (Buffer.compare(bytes.digest(), update.digest) !== 0) {
      bytes.apply(undo);
      throw wrongDigest();
    }
    for (const key of update.removedKeys) this.#state.remove(key);
    for (const entry of entries.values()) this.#state.put(entry);
    return update.removedKeys.length > 0 || entries.size > 0;
  }

  /** Writes the state to a file as one full update, whole or not at all, in pieces with turns between them. Does nothing while there is none. */
  async save(file: string): Promise<void> {
    if (this.hasState) await writeWhole(file, this.#chunks(this.#state.bytes.values()));
  }

  /** Reads a saved state; true when it was taken. A missing or damaged file is left alone. */
  async load(file: string): Promise<boolean> {
    try {
      await this.applyInTurns(fromBinary(RouteUpdateSchema, await readFile(file)));
      return true;
    } catch {
      return false;
    }
  }

  *#chunks(entries: readonly Uint8Array[]): Generator<Uint8Array> {
    yield toBinary(RouteUpdateSchema, { ...this.#head, full: true });
    yield* entryChunks(RouteUpdateSchema.field.entries.number, entries);
  }

  #assertOrder(update: RouteUpdate): void {
    const isSameEpoch = update.epoch === this.epoch;
    if (!update.full && !isSameEpoch) throw gap("continues another epoch");
    if (isSameEpoch && update.version < this.version) throw gap("is older than the state that is held");
  }
}

function wrongDigest(): AimassError {
  return gap("does not lead from the state that is held to its digest");
}

function gap(what: string): AimassError {
  return new AimassError("FAILED_PRECONDITION", `The route update ${what}.`, {
    reason: "ROUTE_GAP",
    remedy: "Ask for a full snapshot.",
  });
}
