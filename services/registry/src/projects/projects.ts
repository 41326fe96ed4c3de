import { Change, ProjectChangedSchema } from "@aimass/api/events";
import { AimassError, type Clock } from "@aimass/core";
import { defaultProject } from "@aimass/identity";
import type { Store } from "@aimass/store";
import { create } from "@bufbuild/protobuf";
import type { Selectable } from "kysely";
import type { Actor } from "../actor.ts";
import type { Database, Transaction } from "../database.ts";
import { projectNotFound } from "../errors.ts";
import type { Journal } from "../journal.ts";
import { assertProjectName, assertTexts } from "../names.ts";

export type ProjectRow = Selectable<Database["project"]>;

/** What of a project is to change. */
export interface ProjectChange {
  readonly description?: string | undefined;
  readonly reviewRequired?: boolean | undefined;
}

/** Projects, the unit of ownership. */
export class Projects {
  readonly #store: Store<Database>;
  readonly #journal: Journal;
  readonly #clock: Clock;

  constructor(options: { store: Store<Database>; journal: Journal; clock: Clock }) {
    this.#store = options.store;
    this.#journal = options.journal;
    this.#clock = options.clock;
  }

  /** Makes the project "default" where there is none yet. */
  async ensureDefault(): Promise<void> {
    await this.#store.db
      .insertInto("project")
      .values(
        this.#row(
          { name: defaultProject, description: "Models that name no project.", reviewRequired: false },
          "service:registry",
        ),
      )
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }

  /** Errors: ALREADY_EXISTS, INVALID_ARGUMENT. */
  async create(
    actor: Actor,
    plan: { name: string; description: string; reviewRequired: boolean },
  ): Promise<ProjectRow> {
    assertProjectName(plan.name);
    assertTexts({ description: plan.description, labels: {} });
    const row = this.#row(plan, actor.id);
    await this.#store.withTransaction(async (tx) => {
      const made = await tx
        .insertInto("project")
        .values(row)
        .onConflict((conflict) => conflict.column("name").doUpdateSet(row).where("project.deleted_at", "is not", null))
        .executeTakeFirst();
      if (made.numInsertedOrUpdatedRows !== 1n) throw alreadyExists(plan.name);
      const value = create(ProjectChangedSchema, { project: plan.name, change: Change.CREATED });
      await this.#journal(tx, {
        actor,
        resource: plan.name,
        audited: true,
        payload: { case: "projectChanged", value },
      });
    });
    return row;
  }

  /** Fields left out stay as they are; what changes nothing is not told. Errors: NOT_FOUND, INVALID_ARGUMENT. */
  async update(actor: Actor, name: string, change: ProjectChange): Promise<ProjectRow> {
    if (change.description !== undefined) assertTexts({ description: change.description, labels: {} });
    return this.#store.withTransaction(async (tx) => {
      const before = await lockProject(tx, name);
      const { description = before.description, reviewRequired = before.review_required } = change;
      const after = { ...before, description, review_required: reviewRequired };
      const detail = describeChange(before, after);
      if (detail === "") return before;
      await tx
        .updateTable("project")
        .set({ description, review_required: reviewRequired })
        .where("name", "=", name)
        .execute();
      const value = create(ProjectChangedSchema, { project: name, change: Change.UPDATED, detail });
      await this.#journal(tx, { actor, resource: name, audited: true, payload: { case: "projectChanged", value } });
      return after;
    });
  }

  /**
   * Removes a project, or only says whether it would go. Errors: NOT_FOUND; FAILED_PRECONDITION for the one that always exists, and while something is in it.
   */
  async remove(actor: Actor, name: string, validateOnly: boolean): Promise<ProjectRow> {
    if (name === defaultProject)
      throw new AimassError("FAILED_PRECONDITION", `The project "${name}" always exists.`, {
        reason: "DEFAULT_PROJECT",
      });
    return this.#store.withTransaction(async (tx) => {
      // What comes into the project at the same time waits for this lock (`holdProject`).
      const row = await lockProject(tx, name);
      await assertEmpty(tx, name);
      if (validateOnly) return row;
      await tx
        .updateTable("project")
        .set({ deleted_at: new Date(this.#clock.now()) })
        .where("name", "=", name)
        .execute();
      const value = create(ProjectChangedSchema, { project: name, change: Change.DELETED });
      await this.#journal(tx, { actor, resource: name, audited: true, payload: { case: "projectChanged", value } });
      return row;
    });
  }

  find(name: string): Promise<ProjectRow | undefined> {
    return this.#store.db
      .selectFrom("project")
      .selectAll()
      .where("name", "=", name)
      .where("deleted_at", "is", null)
      .executeTakeFirst();
  }

  /** Projects by name, after one. */
  list(after: string | undefined, limit: number): Promise<readonly ProjectRow[]> {
    return this.#store.db
      .selectFrom("project")
      .selectAll()
      .where("deleted_at", "is", null)
      .$if(after !== undefined, (query) => query.where("name", ">", after ?? ""))
      .orderBy("name")
      .limit(limit)
      .execute();
  }

  #row(plan: { name: string; description: string; reviewRequired: boolean }, createdBy: string): ProjectRow {
    return {
      name: plan.name,
      description: plan.description,
      review_required: plan.reviewRequired,
      created_at: new Date(this.#clock.now()),
      created_by: createdBy,
      deleted_at: null,
    };
  }
}

/** Keeps a project from being removed until the transaction, which puts something into it, ends. Errors: NOT_FOUND. */
export async function holdProject(tx: Transaction, name: string): Promise<void> {
  const project = tx.selectFrom("project").select("name").where("name", "=", name).where("deleted_at", "is", null);
  if ((await project.forKeyShare().executeTakeFirst()) === undefined) throw projectNotFound(name);
}

/** A project that nobody else changes meanwhile. Throws NOT_FOUND. */
async function lockProject(tx: Transaction, name: string): Promise<ProjectRow> {
  const row = await tx
    .selectFrom("project")
    .selectAll()
    .where("name", "=", name)
    .where("deleted_at", "is", null)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw projectNotFound(name);
  return row;
}

async function assertEmpty(tx: Transaction, name: string): Promise<void> {
  const models = tx.selectFrom("model").select("name").where("project", "=", name).where("deleted_at", "is", null);
  const datasets = tx.selectFrom("dataset_version").select("dataset").distinct().where("project", "=", name);
  const [inModels, inDatasets] = [await models.execute(), await datasets.execute()];
  if (inModels.length + inDatasets.length === 0) return;
  const parts = [`${inModels.length} models`, `${inDatasets.length} datasets`];
  throw new AimassError("FAILED_PRECONDITION", `The project "${name}" has ${parts.join(" and ")}.`, {
    reason: "NOT_EMPTY",
    remedy: `Delete them first: aimass models list --project ${name} · aimass datasets list --project ${name}`,
  });
}

function alreadyExists(name: string): AimassError {
  return new AimassError("ALREADY_EXISTS", `There is a project "${name}" already.`, { field: "project.name" });
}

/** For the ledger, in words; empty where all is as it was. */
function describeChange(before: ProjectRow, after: ProjectRow): string {
  const changes: string[] = [];
  if (after.review_required !== before.review_required) {
    changes.push(after.review_required ? "reviews are required" : "reviews are no longer required");
  }
  if (after.description !== before.description) changes.push(`description: ${after.description}`);
  return changes.join("; ");
}
