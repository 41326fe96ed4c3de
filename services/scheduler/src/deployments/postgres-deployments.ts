import { randomUUID } from "node:crypto";
import { Change } from "@aimass/api/events";
import {
  type Deployment,
  DeploymentSchema,
  type DeploymentSpec,
  DeploymentSpecSchema,
  DeploymentStatusSchema,
} from "@aimass/api/scheduler";
import { AimassError } from "@aimass/core";
import type { EventBus } from "@aimass/events";
import { create, equals, fromBinary, toBinary, toJsonString } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Changes } from "../changes.ts";
import type { SchedulerStore, SchedulerTransaction } from "../database.ts";
import { forgetHappenings, noteHappening } from "./postgres-history.ts";

interface DeploymentRow {
  readonly key: string;
  readonly spec: Uint8Array;
  readonly etag: string;
  readonly created_by: string;
  readonly created_at: Date;
  readonly status: Uint8Array | null;
}

/** What of the deployment that is there a call was made in view of. */
interface Expectation {
  /** Of the one that was read; "": whichever. */
  readonly etag: string;
  /** That there is none, or the same. */
  readonly createOnly: boolean;
}

/** Deployments as people want them, joined with the status the leader wrote. */
export class Deployments {
  readonly #store: SchedulerStore;
  readonly #changes: Changes;
  readonly #bus: EventBus;

  constructor(store: SchedulerStore, changes: Changes, bus: EventBus) {
    this.#store = store;
    this.#changes = changes;
    this.#bus = bus;
  }

  async find(key: string): Promise<Deployment | undefined> {
    const [row] = await this.#select().where("deployment.key", "=", key).execute();
    return row === undefined ? undefined : toDeployment(row);
  }

  /** Deployments of a project (all: "") with keys after `after`, by key. */
  async list(project: string, after: string): Promise<{ key: string; deployment: Deployment }[]> {
    let query = this.#select().where("deployment.key", ">", after).orderBy("deployment.key");
    if (project !== "") query = query.where("deployment.key", "like", `${project.replaceAll("_", "\\_")}.%`);
    return (await query.execute()).map((row) => ({ key: row.key, deployment: toDeployment(row) }));
  }

  /**
   * Creates or replaces. Throws ABORTED `ETAG_MISMATCH` when `etag` is set and not the current one, and when a deployment that is to be made is there with
   * another spec.
   */
  put(key: string, spec: DeploymentSpec, { actor, ...expected }: Expectation & { actor: string }): Promise<void> {
    return this.#store.withTransaction(async (tx) => {
      const row = { spec: Buffer.from(toBinary(DeploymentSpecSchema, spec)), etag: randomUUID() };
      // Who makes the same one at the same time waits here for this transaction's end, and then finds it made.
      const { numInsertedOrUpdatedRows: made } = await tx
        .insertInto("deployment")
        .values({ key, ...row, created_by: actor })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      if (made === 1n) {
        assertExpected(key, spec, expected, undefined);
        await this.#tell(tx, spec, { change: Change.CREATED, actor });
        return;
      }
      const named = tx.selectFrom("deployment").selectAll().where("key", "=", key);
      const before = await named.forUpdate().executeTakeFirst();
      if (before === undefined) throw changedMeanwhile(key, "was ended by someone else");
      assertExpected(key, spec, expected, before);
      if (isSame(before, spec)) return;
      await tx.updateTable("deployment").set(row).where("key", "=", key).execute();
      await this.#tell(tx, spec, { change: Change.UPDATED, actor });
    });
  }

  /** Refuses what `put` would refuse now, and changes nothing. */
  async try(key: string, spec: DeploymentSpec, expected: Expectation): Promise<void> {
    const named = this.#store.db.selectFrom("deployment").select(["etag", "spec"]).where("key", "=", key);
    assertExpected(key, spec, expected, await named.executeTakeFirst());
  }

  /** False when there was none. */
  remove(key: string, actor: string): Promise<boolean> {
    return this.#store.withTransaction((tx) => this.#removeIn(tx, key, { actor, madeBefore: undefined }));
  }

  /** The end of a deployment whose model was deleted at some time, with its history. Bears repetition. */
  removeWithModel(key: string, actor: string, deletedAt: Date): Promise<void> {
    return this.#store.withTransaction(async (tx) => {
      const wasThere = await this.#removeIn(tx, key, { actor, madeBefore: deletedAt });
      await forgetHappenings(tx, key, wasThere ? undefined : deletedAt);
    });
  }

  async #removeIn(
    tx: SchedulerTransaction,
    key: string,
    { actor, madeBefore }: { actor: string; madeBefore: Date | undefined },
  ): Promise<boolean> {
    const named = tx.deleteFrom("deployment").where("key", "=", key);
    const chosen = madeBefore === undefined ? named : named.where("created_at", "<=", madeBefore);
    const row = await chosen.returning("spec").executeTakeFirst();
    if (row === undefined) return false;
    await this.#tell(tx, fromBinary(DeploymentSpecSchema, row.spec), { change: Change.DELETED, actor });
    return true;
  }

  async #tell(tx: SchedulerTransaction, spec: DeploymentSpec, o: { change: Change; actor: string }): Promise<void> {
    const { project, model } = spec;
    const specJson = o.change === Change.DELETED ? "" : toJsonString(DeploymentSpecSchema, spec);
    await this.#bus.publishFrom(tx, {
      actor: o.actor,
      resource: `${project}.${model}`,
      audited: true,
      payload: { case: "deploymentChanged", value: { project, model, change: o.change, specJson } },
    });
    const happening = { case: "specChange", value: o.change === Change.DELETED ? {} : { spec } } as const;
    await noteHappening(tx, `${project}.${model}`, { actor: o.actor, happening });
    await this.#changes.tell(tx, "desired");
  }

  #select() {
    return this.#store.db
      .selectFrom("deployment")
      .leftJoin("deployment_status", "deployment_status.key", "deployment.key")
      .select(["deployment.key", "deployment.spec", "deployment.etag", "deployment.created_by"])
      .select(["deployment.created_at", "deployment_status.status"]);
  }
}

type Stored = Pick<DeploymentRow, "etag" | "spec">;

/** Throws ABORTED `ETAG_MISMATCH`. */
function assertExpected(
  key: string,
  spec: DeploymentSpec,
  { etag, createOnly }: Expectation,
  there: Stored | undefined,
): void {
  if (etag !== "" && etag !== there?.etag)
    throw changedMeanwhile(key, there === undefined ? "does not exist" : "was changed by someone else");
  if (createOnly && there !== undefined && !isSame(there, spec))
    throw changedMeanwhile(key, "was made by someone else");
}

function isSame({ spec }: Stored, wanted: DeploymentSpec): boolean {
  return equals(DeploymentSpecSchema, fromBinary(DeploymentSpecSchema, spec), wanted);
}

function changedMeanwhile(key: string, state: string): AimassError {
  return new AimassError("ABORTED", `The deployment of ${key} ${state} since it was read.`, {
    reason: "ETAG_MISMATCH",
    field: "etag",
    remedy: "Read it again and repeat the change on what it is now.",
  });
}

function toDeployment(row: DeploymentRow): Deployment {
  return create(DeploymentSchema, {
    spec: fromBinary(DeploymentSpecSchema, row.spec),
    etag: row.etag,
    createdBy: row.created_by,
    createdAt: timestampFromDate(row.created_at),
    ...(row.status !== null && { status: fromBinary(DeploymentStatusSchema, row.status) }),
  });
}
