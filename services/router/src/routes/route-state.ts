import { type ReplicaRoute, type RouteEntry, RouteEntrySchema } from "@aimass/api/scheduler";
import type { Pieces } from "@aimass/core";
import { KeyedState } from "@aimass/identity";
import { toBinary } from "@bufbuild/protobuf";
import { type ModelRoutes, readModelRoute } from "./model-routes.ts";

/** Entries that are taken in one piece. */
const pieceEntries = 32;

/** All routes at one moment: in their bytes, whose digest two sides compare, and as what is looked up. */
export class RouteState {
  readonly bytes = new KeyedState();
  /** By "project.model". */
  readonly models = new Map<string, ModelRoutes>();
  /** By replica id. */
  readonly replicas = new Map<string, ReplicaRoute>();
  readonly #forget = new Map<string, () => void>();

  /** A state of these entries and no others. */
  static *of(entries: readonly RouteEntry[]): Pieces<RouteState> {
    const state = new RouteState();
    state.bytes.keepOrder();
    for (const [i, entry] of entries.entries()) {
      state.bytes.set(entry.key, toBinary(RouteEntrySchema, entry));
      state.put(entry);
      if (i % pieceEntries === 0) yield;
    }
    return state;
  }

  /** What is looked up by an entry; its bytes are set apart. */
  put(entry: RouteEntry): void {
    this.remove(entry.key);
    if (entry.entry.case === "replica") {
      const replica = entry.entry.value;
      this.replicas.set(replica.id, replica);
      this.#forget.set(entry.key, () => this.replicas.delete(replica.id));
    } else if (entry.entry.case === "model") {
      const routes = readModelRoute(entry.entry.value);
      this.models.set(routes.name, routes);
      this.#forget.set(entry.key, () => this.models.delete(routes.name));
    }
  }

  /** Takes back what `put` did. */
  remove(key: string): void {
    this.#forget.get(key)?.();
    this.#forget.delete(key);
  }
}
