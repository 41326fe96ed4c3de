import { Change, ProjectChangedSchema } from "@aimass/api/events";
import { AimassError, type Clock } from "@aimass/core";
import { defaultProject } from "@aimass/identity";
import { isUniqueViolation, type Store } from "@aimass/store";
import { create } from "@bufbuild/protobuf";
import type { Selectable } from "kysely";
import type { Actor } from "../actor.ts";
import type { Database } from "../database.ts";
import type { Journal } from "../journal.ts";
import { assertProjectName, assertTexts } from "../names.ts";

export type ProjectRow = Selectable<Database["project"]>;

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
