import { randomUUID } from "node:crypto";
import {
  type AnnounceNodeRequest,
  AnnounceNodeRequestSchema,
  type ReplicaInfo,
  ReplicaInfoSchema,
} from "@aimass/api/scheduler";
import { create, toBinary } from "@bufbuild/protobuf";
import { sql } from "kysely";
import type { Changes } from "../changes.ts";
import type { SchedulerStore, SchedulerTransaction } from "../database.ts";
import type { AttachmentPort } from "./attachment.ts";

export interface FleetTimings {
  /** How long a silent agent or replica counts as there. */
  readonly leaseMs: number;
  /** How long one whose stream broke counts as there. */
  readonly detachMs: number;
}

const inMs = (ms: number) => sql<Date>`clock_timestamp() + ${ms} * interval '1 millisecond'`;

/** The stream of one replica, in the database. */
export function replicaAttachment(
  store: SchedulerStore,
  changes: Changes,
  timings: FleetTimings,
): AttachmentPort<ReplicaInfo> {
  const attachment = randomUUID();
  let id = "";
  return {
    attach: (report) =>
      store.withTransaction(async (tx) => {
        id = report.id;
        const row = { ...replicaRow(report), attachment, lease_until: inMs(timings.leaseMs), detached_at: null };
        await tx
          .insertInto("replica")
          .values({ id, ...row })
          .onConflict((conflict) => conflict.column("id").doUpdateSet(row))
          .execute();
        await changes.tell(tx, "fleet");
      }),
    report: (report, isNews) =>
      store.withTransaction(async (tx) => {
        const row = { ...replicaRow(report), lease_until: inMs(timings.leaseMs), detached_at: null };
        const { numUpdatedRows } = await tx
          .updateTable("replica")
          .set(row)
          .where("id", "=", id)
          .where("attachment", "=", attachment)
          .executeTakeFirst();
        if (isNews) await changes.tell(tx, "fleet");
        return numUpdatedRows > 0n;
      }),
    detach: () => store.withTransaction((tx) => detach(tx, changes, { table: "replica", attachment, timings })),
  };
}

/** The stream of one agent, in the database. Exits are written apart. */
export function nodeAttachment(
  store: SchedulerStore,
  changes: Changes,
  timings: FleetTimings,
): AttachmentPort<AnnounceNodeRequest> {
  const attachment = randomUUID();
  let name = "";
  return {
    attach: (report) =>
      store.withTransaction(async (tx) => {
        name = report.node;
        const row = { info: nodeBytes(report), attachment, lease_until: inMs(timings.leaseMs), detached_at: null };
        await tx
          .insertInto("node")
          .values({ name, ...row })
          .onConflict((conflict) => conflict.column("name").doUpdateSet(row))
          .execute();
        await changes.tell(tx, "fleet");
      }),
    report: (report, isNews) =>
      store.withTransaction(async (tx) => {
        const { numUpdatedRows } = await tx
          .updateTable("node")
          .set({ info: nodeBytes(report), lease_until: inMs(timings.leaseMs), detached_at: null })
          .where("name", "=", name)
          .where("attachment", "=", attachment)
          .executeTakeFirst();
        if (isNews) await changes.tell(tx, "fleet");
        return numUpdatedRows > 0n;
      }),
    detach: () => store.withTransaction((tx) => detach(tx, changes, { table: "node", attachment, timings })),
  };
}

/** Marks a replica as draining or not; undefined when there is no such replica. */
export function setDraining(store: SchedulerStore, changes: Changes, id: string, draining: boolean): Promise<boolean> {
  return store.withTransaction(async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable("replica")
      .set({ draining })
      .where("id", "=", id)
      .executeTakeFirst();
    await changes.tell(tx, "fleet");
    return numUpdatedRows > 0n;
  });
}

/** Marks a node, and the replicas that it has, as draining or not. */
export function setNodeDraining(
  store: SchedulerStore,
  changes: Changes,
  { node, draining, replicaIds }: { node: string; draining: boolean; replicaIds: readonly string[] },
): Promise<void> {
  return store.withTransaction(async (tx) => {
    const mark = tx.insertInto("drained_node").values({ name: node });
    if (draining) await mark.onConflict((conflict) => conflict.doNothing()).execute();
    else await tx.deleteFrom("drained_node").where("name", "=", node).execute();
    // Those that are there are marked, too: a leader of an earlier version knows no drained nodes.
    if (replicaIds.length > 0)
      await tx.updateTable("replica").set({ draining }).where("id", "in", replicaIds).execute();
    await changes.tell(tx, "fleet");
  });
}

/** Drains replicas one by one instead of their node as a whole, so that one can be taken back. */
export function splitDrainedNode(
  store: SchedulerStore,
  changes: Changes,
  { node, replicaIds }: { node: string; replicaIds: readonly string[] },
): Promise<void> {
  return store.withTransaction(async (tx) => {
    await tx.deleteFrom("drained_node").where("name", "=", node).execute();
    await tx.updateTable("replica").set({ draining: true }).where("id", "in", replicaIds).execute();
    await changes.tell(tx, "fleet");
  });
}

/** Forgets agents and replicas that have been gone for long. */
export async function forgetGone(tx: SchedulerTransaction, forgetMs: number): Promise<void> {
  const before = sql<Date>`clock_timestamp() - ${forgetMs} * interval '1 millisecond'`;
  await tx.deleteFrom("replica").where("lease_until", "<", before).execute();
  await tx.deleteFrom("node").where("lease_until", "<", before).execute();
}

async function detach(
  tx: SchedulerTransaction,
  changes: Changes,
  o: { table: "replica" | "node"; attachment: string; timings: FleetTimings },
): Promise<void> {
  const { numUpdatedRows } = await tx
    .updateTable(o.table)
    .set({
      detached_at: sql<Date>`clock_timestamp()`,
      lease_until: sql<Date>`least(lease_until, ${inMs(o.timings.detachMs)})`,
    })
    .where("attachment", "=", o.attachment)
    .executeTakeFirst();
  if (numUpdatedRows > 0n) await changes.tell(tx, "fleet");
}

function replicaRow(report: ReplicaInfo): { incarnation: string; info: Buffer } {
  return { incarnation: report.incarnation, info: Buffer.from(toBinary(ReplicaInfoSchema, report)) };
}

function nodeBytes(report: AnnounceNodeRequest): Buffer {
  const { node, total, free, devices } = report;
  const kept = create(AnnounceNodeRequestSchema, { node, devices, ...(total && { total }), ...(free && { free }) });
  return Buffer.from(toBinary(AnnounceNodeRequestSchema, kept));
}
