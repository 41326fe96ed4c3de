import { type ServableModel, ServableModelSchema } from "@aimass/api/registry";
import { type DeploymentStatus, DeploymentStatusSchema } from "@aimass/api/scheduler";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Kysely } from "kysely";
import type { SchedulerDatabase, SchedulerTransaction } from "../database.ts";
import { digestOfModel } from "../library/library-model.ts";
import type { Decisions, ModelKey } from "../reconcile/snapshot.ts";
import { diffRows, type RowChange } from "./row-diff.ts";

/** What the leader decided last, as it is stored. */
export interface Decided {
  readonly decisions: Decisions;
  readonly statuses: ReadonlyMap<ModelKey, DeploymentStatus>;
  /** The deployed part of the library as it was last read. */
  readonly library: ReadonlyMap<ModelKey, ServableModel>;
}

/** Reads what is stored. */
export async function readDecided(db: Kysely<SchedulerDatabase>): Promise<Decided> {
  const [placements, rollouts, admissions, dedicated, statuses, library] = await Promise.all([
    db.selectFrom("placement").selectAll().execute(),
    db.selectFrom("rollout").selectAll().execute(),
    db.selectFrom("admission").selectAll().execute(),
    db.selectFrom("dedicated_replica").selectAll().execute(),
    db.selectFrom("deployment_status").selectAll().execute(),
    db.selectFrom("library_model").select(["key", "model"]).execute(),
  ]);
  return {
    decisions: {
      placements: placements.map((row) => ({
        key: row.key,
        version: Number(row.version),
        replica: row.replica,
        ...(row.stands_in_for !== null && { standsInFor: row.stands_in_for }),
        ...(row.released_at !== null && { releasedAt: Number(row.released_at) }),
      })),
      rollouts: rollouts.map((row) => ({ ...row, served: Number(row.served) })),
      admissions: admissions.map((row) => ({ ...row, version: Number(row.version) })),
      dedicated: dedicated.map(({ device_id, ...row }) => ({ ...row, deviceId: device_id })),
    },
    statuses: new Map(statuses.map((row) => [row.key, fromBinary(DeploymentStatusSchema, row.status)])),
    library: new Map(library.map((row) => [row.key, fromBinary(ServableModelSchema, row.model)])),
  };
}

/** What has to be written, by table; tables without a change are left out. */
export type DecidedChanges = readonly { readonly table: DecidedTable; readonly change: RowChange<Row> }[];

/** Compares two sets of decisions. */
export function diffDecided(before: Decided, after: Decided): DecidedChanges {
  return decidedTables
    .map((table) => ({ table, change: diffRows(table.rows(before), table.rows(after)) }))
    .filter(({ change }) => change.removed.length > 0 || change.written.length > 0);
}

/** Writes what changed. */
export async function saveDecided(tx: SchedulerTransaction, changes: DecidedChanges): Promise<void> {
  for (const { table, change } of changes) await writeRows(tx, table, change);
}

interface DecidedTable {
  readonly name: "placement" | "rollout" | "admission" | "dedicated_replica" | "deployment_status" | "library_model";
  readonly keys: readonly string[];
  /** Rows by a text made of their key. */
  rows(decided: Decided): ReadonlyMap<string, Row>;
}

type Row = Readonly<Record<string, unknown>>;

const decidedTables: readonly DecidedTable[] = [
  {
    name: "placement",
    keys: ["key", "version", "replica"],
    rows: ({ decisions }) =>
      keyed(
        decisions.placements.map(({ key, version, replica, standsInFor = null, releasedAt = null }) => ({
          key,
          version,
          replica,
          stands_in_for: standsInFor,
          released_at: releasedAt,
        })),
        ["key", "version", "replica"],
      ),
  },
  {
    name: "rollout",
    keys: ["key", "alias"],
    rows: ({ decisions }) =>
      keyed(
        decisions.rollouts.map((r) => ({ ...r, previous: JSON.stringify(r.previous) })),
        ["key", "alias"],
      ),
  },
  {
    name: "admission",
    keys: ["key", "version"],
    rows: ({ decisions }) =>
      keyed(
        decisions.admissions.map((a) => ({ ...a, parity: JSON.stringify(a.parity) })),
        ["key", "version"],
      ),
  },
  {
    name: "dedicated_replica",
    keys: ["id"],
    rows: ({ decisions }) =>
      keyed(
        decisions.dedicated.map(({ deviceId, ...want }) => ({ ...want, device_id: deviceId })),
        ["id"],
      ),
  },
  {
    name: "deployment_status",
    keys: ["key"],
    rows: ({ statuses }) =>
      keyed(
        [...statuses].map(([key, status]) => ({ key, status: Buffer.from(toBinary(DeploymentStatusSchema, status)) })),
        ["key"],
      ),
  },
  {
    name: "library_model",
    keys: ["key"],
    rows: ({ library }) => new Map([...library].map(([key, model]) => [key, libraryRow(key, model)])),
  },
];

const libraryRows = new WeakMap<ServableModel, Row>();

/** A model that is the same object from pass to pass is encoded once. */
function libraryRow(key: ModelKey, model: ServableModel): Row {
  const known = libraryRows.get(model);
  if (known !== undefined) return known;
  const row = { key, digest: digestOfModel(model), model: Buffer.from(toBinary(ServableModelSchema, model)) };
  libraryRows.set(model, row);
  return row;
}

function keyed(rows: readonly Row[], keys: readonly string[]): Map<string, Row> {
  return new Map(rows.map((row) => [keys.map((key) => String(row[key])).join("\n"), row]));
}

async function writeRows(tx: SchedulerTransaction, table: DecidedTable, change: RowChange<Row>): Promise<void> {
  // The tables differ in their columns, not in how they are written: one statement serves them all.
  const db = tx as unknown as import("kysely").Transaction<Record<string, Row>>;
  for (const row of change.removed) {
    let removal = db.deleteFrom(table.name);
    for (const key of table.keys) removal = removal.where(key as never, "=", row[key] as never);
    await removal.execute();
  }
  for (const row of change.written) {
    await db
      .insertInto(table.name)
      .values(row as never)
      .onConflict((conflict) => conflict.columns(table.keys as never).doUpdateSet(row as never))
      .execute();
  }
}
