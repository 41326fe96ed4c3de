import type { RouteEntry } from "@aimass/api/scheduler";
import { KeyedState } from "@aimass/identity";
import { type Kysely, sql } from "kysely";
import type { SchedulerDatabase, SchedulerStore, SchedulerTransaction } from "../database.ts";
import { type RouteChanges, type RouteHead, RouteLog, routeEntryBytes } from "./route-log.ts";

/** How many versions back removals are remembered. */
const historyVersions = 1000n;

/** Reads all routes. */
export function readRouteLog(store: SchedulerStore): Promise<RouteLog> {
  const read = async (tx: SchedulerTransaction) => new RouteLog(await readHead(tx), await readChanges(tx, -1n));
  return store.withTransaction(read, { isolation: "repeatable read" });
}

/** Brings a log up to date; false when nothing changed. The log is replaced when it cannot be continued. */
export async function refreshRouteLog(store: SchedulerStore, log: RouteLog): Promise<RouteLog | undefined> {
  const head = await readHead(store.db);
  if (head.epoch === log.head.epoch && head.version === log.head.version) return undefined;
  if (head.epoch !== log.head.epoch || head.version < log.head.version || log.head.version < head.historyFrom) {
    return readRouteLog(store);
  }
  const read = async (tx: SchedulerTransaction) => {
    const current = await readHead(tx);
    return { current, changes: await readChanges(tx, log.head.version) };
  };
  const { current, changes } = await store.withTransaction(read, { isolation: "repeatable read" });
  log.apply(current, changes);
  return log.isSound ? log : readRouteLog(store);
}

/** The next version of the routes. */
export interface NextRoutes {
  readonly head: RouteHead;
  readonly changes: RouteChanges;
}

/** What makes `routes` the routes; undefined when they are that already. */
export function nextRoutes(log: RouteLog, routes: readonly RouteEntry[]): NextRoutes | undefined {
  const after = new KeyedState(routes.map((entry) => [entry.key, routeEntryBytes(entry)] as const));
  const difference = KeyedState.diff(log.entries, after);
  if (difference.changed.size === 0 && difference.removed.length === 0) return undefined;
  const version = log.head.version + 1n;
  const historyFrom = version > historyVersions ? version - historyVersions : 0n;
  const head = { epoch: log.head.epoch, version, digest: after.digest(), historyFrom };
  const written = [...difference.changed].map(([key, bytes]) => ({ key, bytes, version }));
  return { head, changes: { written, removed: difference.removed.map((key) => ({ key, version })) } };
}

/** Writes it. The caller applies it to its log once that is committed. */
export async function saveRoutes(tx: SchedulerTransaction, { head, changes }: NextRoutes): Promise<void> {
  await writeEntries(tx, changes);
  await tx.deleteFrom("route_removed").where("version", "<", String(head.historyFrom)).execute();
  await tx
    .updateTable("route_head")
    .set({
      version: String(head.version),
      digest: Buffer.from(head.digest),
      history_from: String(head.historyFrom),
    })
    .execute();
}

async function writeEntries(tx: SchedulerTransaction, { written, removed }: RouteChanges): Promise<void> {
  for (const { key, bytes, version } of written) {
    const row = { entry: Buffer.from(bytes), version: String(version) };
    await tx
      .insertInto("route_entry")
      .values({ key, ...row })
      .onConflict((conflict) => conflict.column("key").doUpdateSet(row))
      .execute();
    await tx.deleteFrom("route_removed").where("key", "=", key).execute();
  }
  for (const { key, version } of removed) {
    const row = { version: String(version) };
    await tx.deleteFrom("route_entry").where("key", "=", key).execute();
    await tx
      .insertInto("route_removed")
      .values({ key, ...row })
      .onConflict((conflict) => conflict.column("key").doUpdateSet(row))
      .execute();
  }
}

async function readHead(db: Kysely<SchedulerDatabase>): Promise<RouteHead> {
  const row = await db.selectFrom("route_head").selectAll().executeTakeFirstOrThrow();
  return {
    epoch: row.epoch,
    version: BigInt(row.version),
    digest: row.digest,
    historyFrom: BigInt(row.history_from),
  };
}

async function readChanges(db: Kysely<SchedulerDatabase>, since: bigint): Promise<RouteChanges> {
  const newer = sql<boolean>`version > ${String(since)}`;
  const written = await db.selectFrom("route_entry").selectAll().where(newer).execute();
  const removed = await db.selectFrom("route_removed").selectAll().where(newer).execute();
  return {
    written: written.map((row) => ({ key: row.key, bytes: row.entry, version: BigInt(row.version) })),
    removed: removed.map((row) => ({ key: row.key, version: BigInt(row.version) })),
  };
}
