import { Change, ProjectChangedSchema } from "@aimass/api/events";
import { AimassError, type Clock } from "@aimass/core";
import { defaultProject } from "@aimass/identity";
import { isUniqueViolation, type Store } from "@aimass/store";
import { create } from "@bufbuild/protobuf";
import type { Selectable } from "kysely";
import type { Actor } from "../actor.ts";
import type { Database } from "../database.ts";
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
    try {
      await this.#store.withTransaction(async (tx) => {
        await tx.insertInto("project").values(row).execute();
        const value = create(ProjectChangedSchema, { project: plan.name, change: Change.CREATED });
        await this.#journal(tx, {
          actor,
          resource: plan.name,
          audited: true,
          payload: { case: "projectChanged", value },
        });
      });
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      throw new AimassError("ALREADY_EXISTS", `There is a project "${plan.name}" already.`, { field: "project.name" });
    }
    return row;
  }

  /** Fields left out stay as they are; what changes nothing is not told. Errors: NOT_FOUND, INVALID_ARGUMENT. */
  async update(actor: Actor, name: string, change: ProjectChange): Promise<ProjectRow> {
    if (change.description !== undefined) assertTexts({ description: change.description, labels: {} });
    return this.#store.withTransaction(async (tx) => {
      const before = await tx.selectFrom("project").selectAll().where("name", "=", name).forUpdate().executeTakeFirst();
      if (before === undefined) throw projectNotFound(name);
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

  find(name: string): Promise<ProjectRow | undefined> {
    return this.#store.db.selectFrom("project").selectAll().where("name", "=", name).executeTakeFirst();
  }

  /** Projects by name, after one. */
  list(after: string | undefined, limit: number): Promise<readonly ProjectRow[]> {
    return this.#store.db
      .selectFrom("project")
      .selectAll()
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
    };
  }
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
