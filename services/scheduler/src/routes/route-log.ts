import { type RouteEntry, RouteEntrySchema, type RouteUpdate, RouteUpdateSchema } from "@aimass/api/scheduler";
import { KeyedState } from "@aimass/identity";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";

/** What names a state of the routes. */
export interface RouteHead {
  readonly epoch: string;
  readonly version: bigint;
  readonly digest: Uint8Array;
  /** Removals before this version are forgotten: who holds an older state needs a full one. */
  readonly historyFrom: bigint;
}

/** What happened to the routes since a version. */
export interface RouteChanges {
  readonly written: readonly { readonly key: string; readonly bytes: Uint8Array; readonly version: bigint }[];
  readonly removed: readonly { readonly key: string; readonly version: bigint }[];
}

/** The routes with, for every key, the version that changed it last: gives the update from any version that is not too old. */
export class RouteLog {
  readonly #entries = new KeyedState();
  readonly #changedAt = new Map<string, bigint>();
  readonly #removedAt = new Map<string, bigint>();
  #head: RouteHead;

  constructor(head: RouteHead, changes: RouteChanges) {
    this.#head = head;
    this.apply(head, changes);
  }

  get head(): RouteHead {
    return this.#head;
  }

  get entries(): KeyedState {
    return this.#entries;
  }

  /** True when the digest of what is held is the one the head names. */
  get isSound(): boolean {
    return Buffer.from(this.#entries.digest()).equals(this.#head.digest);
  }

  apply(head: RouteHead, changes: RouteChanges): void {
    for (const { key, version } of changes.removed) {
      this.#entries.delete(key);
      this.#changedAt.delete(key);
      this.#removedAt.set(key, version);
    }
    for (const { key, bytes, version } of changes.written) {
      this.#entries.set(key, bytes);
      this.#changedAt.set(key, version);
      this.#removedAt.delete(key);
    }
    this.#head = head;
    for (const [key, version] of this.#removedAt) if (version < head.historyFrom) this.#removedAt.delete(key);
  }

  /** What brings a holder of `version` in `epoch` up to date: a delta, or everything when that cannot be told any more. */
  updateSince(epoch: string, version: bigint, nowMs: number): RouteUpdate {
    const { head } = this;
    const isKnown = epoch === head.epoch && version <= head.version && version >= head.historyFrom;
    const since = isKnown ? version : -1n;
    const changed = [...this.#changedAt].filter(([, at]) => at > since).map(([key]) => key);
    const removedKeys = isKnown ? [...this.#removedAt].filter(([, at]) => at > since).map(([key]) => key) : [];
    return create(RouteUpdateSchema, {
      epoch: head.epoch,
      version: head.version,
      full: !isKnown,
      entries: changed.sort().map((key) => this.#decode(key)),
      removedKeys: removedKeys.sort(),
      digest: head.digest,
      issuedAt: timestampFromMs(nowMs),
    });
  }

  #decode(key: string): RouteEntry {
    return fromBinary(RouteEntrySchema, this.#entries.get(key) as Uint8Array);
  }
}

/** The bytes of an entry that digests are made of. */
export function routeEntryBytes(entry: RouteEntry): Uint8Array {
  return toBinary(RouteEntrySchema, entry);
}
