import { ServableModelSchema, type Version } from "@aimass/api/registry";
import {
  type Assignment,
  AssignmentSchema,
  type DedicatedReplica,
  DedicatedReplicaSchema,
  DeploymentSpecSchema,
  Loading,
} from "@aimass/api/scheduler";
import { type Clock, PushStream } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import { create, fromBinary } from "@bufbuild/protobuf";
import { type Changes, runOnChange } from "../changes.ts";
import type { SchedulerStore } from "../database.ts";

/** What a replica should hold; what an agent should keep. */
export type WantedOf<Item> = readonly Item[];

interface Subscriber<Item> {
  readonly id: string;
  readonly stream: PushStream<WantedOf<Item>>;
  /** Text of the set it was sent last. */
  sent: string | undefined;
}

/** Reads what is wanted of each of these; those that nothing is wanted of may be left out. */
export type ReadWanted<Item> = (
  ids: readonly string[],
) => Promise<ReadonlyMap<string, readonly { name: string; item: Item }[]>>;

/** Gives those attached to this process their whole wanted set, at once and after every change. */
export class WantedFeed<Item> {
  readonly #read: ReadWanted<Item>;
  readonly #subscribers = new Set<Subscriber<Item>>();
  #wake = () => {};

  constructor(read: ReadWanted<Item>) {
    this.#read = read;
  }

  get size(): number {
    return this.#subscribers.size;
  }

  async run(o: { changes: Changes; clock: Clock; log: Logger; tickMs: number; signal: AbortSignal }): Promise<void> {
    await runOnChange({
      ...o,
      subscribe: (wake) => {
        this.#wake = wake;
        return o.changes.on(["decided"], wake);
      },
      work: () => this.#refresh(),
      onFailure: (error) => o.log.warn("wanted sets not refreshed", { error }),
    });
  }

  /** The sets for one id, newest last; ends when disposed. The first comes when it could be read, never a guess before. */
  subscribe(id: string): Disposable & { readonly sets: AsyncIterable<WantedOf<Item>> } {
    const subscriber: Subscriber<Item> = { id, stream: new PushStream(), sent: undefined };
    this.#subscribers.add(subscriber);
    this.#wake();
    const end = () => {
      this.#subscribers.delete(subscriber);
      subscriber.stream.end();
    };
    return { sets: subscriber.stream, [Symbol.dispose]: end };
  }

  async #refresh(): Promise<void> {
    const asked = [...this.#subscribers];
    if (asked.length === 0) return;
    const wanted = await this.#read([...new Set(asked.map((subscriber) => subscriber.id))]);
    for (const subscriber of asked) {
      const entries = [...(wanted.get(subscriber.id) ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
      const text = entries.map((entry) => entry.name).join("\n");
      if (subscriber.sent === text) continue;
      subscriber.sent = text;
      subscriber.stream.push(entries.map((entry) => entry.item));
    }
  }
}

/** Assignments by replica id, from placements and the kept part of the library. */
export function assignmentsFrom(store: SchedulerStore): ReadWanted<Assignment> {
  const models = new Map<string, { digest: string; versions: ReadonlyMap<number, Version> }>();
  return async (ids) => {
    const rows = await store.db
      .selectFrom("placement")
      .innerJoin("library_model", "library_model.key", "placement.key")
      .leftJoin("deployment", "deployment.key", "placement.key")
      .select(["placement.key", "placement.version", "placement.replica", "library_model.digest", "deployment.spec"])
      .where("placement.replica", "in", [...ids])
      .execute();
    await loadModels(store, models, rows);
    const wanted = new Map<string, { name: string; item: Assignment }[]>();
    for (const row of rows) {
      const version = models.get(row.key)?.versions.get(Number(row.version));
      if (version === undefined) continue;
      const onDemand = isOnDemand(row.spec);
      const name = `${row.key}@${row.version} ${Buffer.from(version.bundleDigest).toString("hex")} ${onDemand}`;
      const list = wanted.get(row.replica) ?? [];
      list.push({ name, item: create(AssignmentSchema, { version, onDemand }) });
      wanted.set(row.replica, list);
    }
    return wanted;
  };
}

/** Whether a stored spec says so; a deployment that was ended has none. */
function isOnDemand(spec: Uint8Array | null): boolean {
  return spec !== null && fromBinary(DeploymentSpecSchema, spec).loading === Loading.ON_DEMAND;
}

async function loadModels(
  store: SchedulerStore,
  models: Map<string, { digest: string; versions: ReadonlyMap<number, Version> }>,
  rows: readonly { key: string; digest: string }[],
): Promise<void> {
  const stale = new Set(rows.filter((row) => models.get(row.key)?.digest !== row.digest).map((row) => row.key));
  if (stale.size === 0) return;
  const found = await store.db
    .selectFrom("library_model")
    .selectAll()
    .where("key", "in", [...stale])
    .execute();
  for (const row of found) {
    const { versions } = fromBinary(ServableModelSchema, row.model);
    models.set(row.key, { digest: row.digest, versions: new Map(versions.map((v) => [Number(v.version), v])) });
  }
}

/** Dedicated replicas by node. */
export function dedicatedFrom(store: SchedulerStore): ReadWanted<DedicatedReplica> {
  return async (nodes) => {
    const rows = await store.db
      .selectFrom("dedicated_replica")
      .selectAll()
      .where("node", "in", [...nodes])
      .execute();
    const wanted = new Map<string, { name: string; item: DedicatedReplica }[]>();
    for (const row of rows) {
      const item = create(DedicatedReplicaSchema, { replicaId: row.id, deviceId: row.device_id, dedicatedTo: row.key });
      wanted.set(row.node, [...(wanted.get(row.node) ?? []), { name: row.id, item }]);
    }
    return wanted;
  };
}
