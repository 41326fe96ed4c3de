import { createHash } from "node:crypto";
import { Change, ModelChangedSchema } from "@aimass/api/events";
import { AimassError, type Clock } from "@aimass/core";
import { formatResource } from "@aimass/identity";
import type { Store } from "@aimass/store";
import { create } from "@bufbuild/protobuf";
import { type Selectable, sql } from "kysely";
import type { Actor } from "../actor.ts";
import type { Database, Transaction } from "../database.ts";
import { modelNotFound } from "../errors.ts";
import type { Journal } from "../journal.ts";
import { assertModelName, assertTexts, type ModelName } from "../names.ts";
import { holdProject } from "../projects/projects.ts";

export type ModelRow = Selectable<Database["model"]>;
export type AliasRow = Selectable<Database["alias"]>;

/** A model with what a reader wants beside it. */
export interface ModelView {
  readonly row: ModelRow;
  readonly aliases: readonly AliasRow[];
  /** 0 when there is none. */
  readonly newestVersion: bigint;
}

export interface ModelPlan extends ModelName {
  readonly description: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly allowExisting: boolean;
}

/** What of a model is to change; absent fields stay. */
export interface ModelChange {
  readonly description?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** What the model must be like; "": however it is. */
  readonly etag: string;
}

/** Tells one description with labels from another. */
export function modelEtag({ description, labels }: Pick<ModelRow, "description" | "labels">): string {
  const ordered = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify([description, ordered]))
    .digest("base64url")
    .slice(0, 16);
}

/** The models of the library. A removed model leaves its row behind, without life, so that its version numbers stay spent. */
export class Models {
  readonly #store: Store<Database>;
  readonly #journal: Journal;
  readonly #clock: Clock;

  constructor(options: { store: Store<Database>; journal: Journal; clock: Clock }) {
    this.#store = options.store;
    this.#journal = options.journal;
    this.#clock = options.clock;
  }

  /** Errors: ALREADY_EXISTS, INVALID_ARGUMENT. */
  async create(actor: Actor, plan: ModelPlan): Promise<ModelView> {
    assertModelName(plan.model);
    assertTexts(plan);
    await this.#store.withTransaction(async (tx) => {
      const made = await this.#insert(tx, actor, plan);
      if (!made && !plan.allowExisting) throw alreadyExists(plan);
      if (made) await this.#tell(tx, actor, plan, Change.CREATED);
    });
    return this.get(plan);
  }

  /** Makes a model that is not there, in a transaction that needs it. */
  async ensure(tx: Transaction, actor: Actor, name: ModelName): Promise<void> {
    const made = await this.#insert(tx, actor, { ...name, description: "", labels: {}, allowExisting: true });
    if (made) await this.#tell(tx, actor, name, Change.CREATED);
  }

  find(name: ModelName): Promise<ModelRow | undefined> {
    return this.#store.db
      .selectFrom("model")
      .selectAll()
      .where("project", "=", name.project)
      .where("name", "=", name.model)
      .where("deleted_at", "is", null)
      .executeTakeFirst();
  }

  /** Errors: NOT_FOUND. */
  async get(name: ModelName): Promise<ModelView> {
    const row = await this.find(name);
    if (row === undefined) throw modelNotFound(name);
    const [view] = await this.views([row]);
    return view as ModelView;
  }

  /** Models by project and name, after one. */
  list(project: string | undefined, after: readonly string[] | undefined, limit: number): Promise<readonly ModelRow[]> {
    return this.#store.db
      .selectFrom("model")
      .selectAll()
      .where("deleted_at", "is", null)
      .$if(project !== undefined, (query) => query.where("project", "=", project ?? ""))
      .$if(after !== undefined, (query) => query.where(sql<boolean>`(project, name) > (${after?.[0]}, ${after?.[1]})`))
      .orderBy("project")
      .orderBy("name")
      .limit(limit)
      .execute();
  }

  /** Adds aliases and newest versions, by two queries however many models there are. */
  async views(rows: readonly ModelRow[]): Promise<readonly ModelView[]> {
    const keys = rows.map((row) => formatResource(row.project, row.name));
    const isWanted = sql<boolean>`(project, model) in (select * from unnest(
      ${rows.map((row) => row.project)}::text[], ${rows.map((row) => row.name)}::text[]))`;
    const [aliases, newest] = await Promise.all([
      this.#store.db.selectFrom("alias").selectAll().where(isWanted).orderBy("name").execute(),
      this.#store.db
        .selectFrom("version")
        .select(["project", "model"])
        .select((eb) => eb.fn.max<string>("version").as("newest"))
        .where(isWanted)
        .groupBy(["project", "model"])
        .execute(),
    ]);
    const aliasesOf = Map.groupBy(aliases, (alias) => formatResource(alias.project, alias.model));
    const newestOf = new Map(newest.map((row) => [formatResource(row.project, row.model), BigInt(row.newest)]));
    return rows.map((row, index) => ({
      row,
      aliases: aliasesOf.get(keys[index] as string) ?? [],
      newestVersion: newestOf.get(keys[index] as string) ?? 0n,
    }));
  }

  /**
   * Removes a model with its versions; its alias history stays. With `validateOnly` it only says what would go. Returns the versions' numbers. Errors: NOT_FOUND, FAILED_PRECONDITION while an alias points at it.
   */
  remove(actor: Actor, name: ModelName, validateOnly = false): Promise<readonly bigint[]> {
    return this.#store.withTransaction(async (tx) => {
      await lockModel(tx, name);
      const alias = await tx
        .selectFrom("alias")
        .select("name")
        .where("project", "=", name.project)
        .where("model", "=", name.model)
        .orderBy("name")
        .executeTakeFirst();
      if (alias !== undefined) throw aliasPointsAt(name, alias.name);
      const rows = await tx
        .selectFrom("version")
        .select("version")
        .where("project", "=", name.project)
        .where("model", "=", name.model)
        .orderBy("version")
        .execute();
      const versions = rows.map((row) => BigInt(row.version));
      if (validateOnly) return versions;
      await tx.deleteFrom("version").where("project", "=", name.project).where("model", "=", name.model).execute();
      await tx
        .updateTable("model")
        .set({ deleted_at: new Date(this.#clock.now()) })
        .where("project", "=", name.project)
        .where("name", "=", name.model)
        .execute();
      await this.#tell(tx, actor, name, Change.DELETED);
      return versions;
    });
  }

  /** Fields left out stay as they are; what changes nothing is not told. Errors: NOT_FOUND; ABORTED for another etag than the model's, unless empty. */
  async update(actor: Actor, name: ModelName, change: ModelChange): Promise<ModelView> {
    const { description, labels } = change;
    assertTexts({ description: description ?? "", labels: labels ?? {} });
    await this.#store.withTransaction(async (tx) => {
      const before = await lockModel(tx, name);
      if (change.etag !== "" && change.etag !== modelEtag(before)) throw changedMeanwhile(name);
      const after = { description: description ?? before.description, labels: labels ?? before.labels };
      if (modelEtag(after) === modelEtag(before)) return;
      await tx
        .updateTable("model")
        .set({ description: after.description, labels: JSON.stringify(after.labels) })
        .where("project", "=", name.project)
        .where("name", "=", name.model)
        .execute();
      await this.#tell(tx, actor, name, Change.UPDATED);
    });
    return this.get(name);
  }

  /** False when the model is there already. Errors: NOT_FOUND (project). */
  async #insert(tx: Transaction, actor: Actor, plan: ModelPlan): Promise<boolean> {
    await holdProject(tx, plan.project);
    const life = {
      description: plan.description,
      labels: JSON.stringify(plan.labels),
      created_at: new Date(this.#clock.now()),
      created_by: actor.id,
      deleted_at: null,
    };
    const done = await tx
      .insertInto("model")
      .values({ project: plan.project, name: plan.model, ...life })
      .onConflict((conflict) =>
        conflict.columns(["project", "name"]).doUpdateSet(life).where("model.deleted_at", "is not", null),
      )
      .executeTakeFirst();
    return done.numInsertedOrUpdatedRows === 1n;
  }

  #tell(tx: Transaction, actor: Actor, name: ModelName, change: Change): Promise<void> {
    const value = create(ModelChangedSchema, { project: name.project, model: name.model, change });
    const resource = formatResource(name.project, name.model);
    return this.#journal(tx, { actor, resource, audited: true, payload: { case: "modelChanged", value } });
  }
}

/**
 * Takes the model's row for the rest of the transaction: all that changes a model, its versions or its aliases comes one after another.
 * Errors: NOT_FOUND.
 */
export async function lockModel(tx: Transaction, name: ModelName): Promise<ModelRow> {
  const row = await tx
    .selectFrom("model")
    .selectAll()
    .where("project", "=", name.project)
    .where("name", "=", name.model)
    .where("deleted_at", "is", null)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw modelNotFound(name);
  return row;
}

function changedMeanwhile(name: ModelName): AimassError {
  const message = `"${formatResource(name.project, name.model)}" was changed by someone else since it was read.`;
  return new AimassError("ABORTED", message, {
    reason: "ETAG_MISMATCH",
    field: "etag",
    remedy: "Read it again and repeat the change on what it is now.",
  });
}

function alreadyExists(name: ModelName): AimassError {
  const message = `There is a model "${formatResource(name.project, name.model)}" already.`;
  return new AimassError("ALREADY_EXISTS", message, {
    field: "name",
    remedy: "Add a version to it, or take another name.",
  });
}

function aliasPointsAt(name: ModelName, alias: string): AimassError {
  const message = `The alias "${alias}" points at a version of "${formatResource(name.project, name.model)}".`;
  return new AimassError("FAILED_PRECONDITION", message, {
    reason: "ALIAS_POINTS_HERE",
    remedy: "Delete the model's aliases first.",
  });
}
