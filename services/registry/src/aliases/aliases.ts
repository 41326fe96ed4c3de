import { AliasMovedSchema } from "@aimass/api/events";
import { AimassError, type Clock } from "@aimass/core";
import { formatResource } from "@aimass/identity";
import type { Store } from "@aimass/store";
import { create } from "@bufbuild/protobuf";
import { type Selectable, sql } from "kysely";
import type { Actor } from "../actor.ts";
import type { Database, Transaction } from "../database.ts";
import { versionNotFound } from "../errors.ts";
import type { Journal } from "../journal.ts";
import { lockModel } from "../models/models.ts";
import { assertAliasName, invalid, type ModelName } from "../names.ts";
import { type Page, type Slice, sliceOf } from "../pages.ts";
import { lacksReview } from "../versions/required-review.ts";
import { rollbackTarget } from "./rollback.ts";

export type AliasMoveRow = Selectable<Database["alias_move"]>;

/** An alias of a model. */
export interface AliasName extends ModelName {
  readonly alias: string;
}

/** Where the alias must point for a move to happen; undefined: anywhere. 0: it must not exist. */
type Expected = bigint | undefined;

const maxReason = 4096;

/** Movable names of versions. Moves of one model come one after another; each is kept for good. */
export class Aliases {
  readonly #store: Store<Database>;
  readonly #journal: Journal;
  readonly #clock: Clock;

  constructor(options: { store: Store<Database>; journal: Journal; clock: Clock }) {
    this.#store = options.store;
    this.#journal = options.journal;
    this.#clock = options.clock;
  }

  /**
   * Points an alias at a version. When it points there already, its last move is the answer and nothing is written.
   * Errors: see AliasService.MoveAlias.
   */
  move(
    actor: Actor,
    name: AliasName,
    plan: { version: bigint; expected: Expected; reason: string },
  ): Promise<AliasMoveRow> {
    assertAliasName(name.alias);
    assertReason(plan.reason);
    return this.#store.withTransaction(async (tx) => {
      await lockModel(tx, name);
      const current = await findTarget(tx, name);
      assertExpected(name, current, plan.expected);
      await assertReady(tx, name, plan.version);
      if (current === plan.version) return lastMove(tx, name);
      if (await lacksReview(tx, name, plan.version)) throw notReviewed(name, plan.version);
      return this.#write(tx, actor, name, { from: current, to: plan.version, reason: plan.reason, rollback: false });
    });
  }

  /** Undoes the last move that was not undone yet; see `rollbackTarget`. Needs no review: the target served by the rules of its time. Errors: see AliasService.RollbackAlias. */
  rollback(actor: Actor, name: AliasName, plan: { expected: Expected; reason: string }): Promise<AliasMoveRow> {
    assertReason(plan.reason);
    return this.#store.withTransaction(async (tx) => {
      await lockModel(tx, name);
      const current = await findTarget(tx, name);
      assertExpected(name, current, plan.expected);
      const target = current === 0n ? undefined : rollbackTarget(await pastOf(tx, name));
      if (target === undefined) throw nothingBefore(name);
      await assertReady(tx, name, target);
      return this.#write(tx, actor, name, { from: current, to: target, reason: plan.reason, rollback: true });
    });
  }

  /** Removes an alias; no error when there is none, unless something else is expected. Errors: FAILED_PRECONDITION. */
  remove(actor: Actor, name: AliasName, plan: { expected: Expected; reason: string }): Promise<void> {
    const { expected, reason } = plan;
    assertReason(reason);
    return this.#store.withTransaction(async (tx) => {
      await lockModel(tx, name);
      const current = await findTarget(tx, name);
      assertExpected(name, current, expected);
      if (current === 0n) return;
      await this.#write(tx, actor, name, { from: current, to: 0n, reason, rollback: false });
    });
  }

  /** Moves of the model that there is now, newest first; of one alias, or of all. */
  async history(name: ModelName, alias: string | undefined, page: Page): Promise<Slice<AliasMoveRow>> {
    const after = page.after?.[0];
    const rows = await selectMoves(this.#store.db, name, alias)
      .where("moved_at", ">=", madeAt(name))
      .$if(after !== undefined, (query) => query.where("id", "<", readId(after ?? "")))
      .orderBy("id", "desc")
      .limit(page.size + 1)
      .execute();
    return sliceOf(rows, page.size, { item: (row) => row, key: (row) => [row.id] });
  }

  /** The move of each alias that was in force at a time: its last one until then. A removal is in force too. */
  inForce(name: ModelName, alias: string | undefined, at: Date): Promise<readonly AliasMoveRow[]> {
    return selectMoves(this.#store.db, name, alias)
      .distinctOn("alias")
      .where("moved_at", ">=", madeAt(name))
      .where("moved_at", "<=", at)
      .orderBy("alias")
      .orderBy("id", "desc")
      .execute();
  }

  async #write(
    tx: Transaction,
    actor: Actor,
    name: AliasName,
    move: { from: bigint; to: bigint; reason: string; rollback: boolean },
  ): Promise<AliasMoveRow> {
    const movedAt = await this.#momentAfterLast(tx, name);
    await setTarget(tx, name, { version: move.to, movedAt, movedBy: actor.id });
    const row = await tx
      .insertInto("alias_move")
      .values({
        project: name.project,
        model: name.model,
        alias: name.alias,
        from_version: String(move.from),
        to_version: String(move.to),
        rollback: move.rollback,
        reason: move.reason,
        moved_at: movedAt,
        moved_by: actor.id,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await this.#tell(tx, actor, name, move);
    return row;
  }

  /** Now, but never before the last move, nor before the model: clocks of several processes differ, the order of the history does not. */
  async #momentAfterLast(tx: Transaction, name: AliasName): Promise<Date> {
    const last = await selectMoves(tx, name, name.alias).orderBy("id", "desc").limit(1).executeTakeFirst();
    const { rows } = await sql<{ made: Date | null }>`select ${madeAt(name)} as made`.execute(tx);
    const earliest = [last?.moved_at, rows[0]?.made].map((moment) => moment?.getTime() ?? 0);
    return new Date(Math.max(this.#clock.now(), ...earliest));
  }

  #tell(
    tx: Transaction,
    actor: Actor,
    name: AliasName,
    move: { from: bigint; to: bigint; reason: string; rollback: boolean },
  ): Promise<void> {
    const value = create(AliasMovedSchema, {
      ...name,
      fromVersion: move.from,
      toVersion: move.to,
      reason: move.reason,
      rollback: move.rollback,
    });
    return this.#journal(tx, {
      actor,
      resource: formatResource(name.project, name.model, name.alias),
      audited: true,
      payload: { case: "aliasMoved", value },
    });
  }
}

type Reader = Pick<Transaction, "selectFrom">;

function selectMoves(db: Reader, name: ModelName, alias: string | undefined) {
  return db
    .selectFrom("alias_move")
    .selectAll()
    .where("project", "=", name.project)
    .where("model", "=", name.model)
    .$if(alias !== undefined, (query) => query.where("alias", "=", alias ?? ""));
}

/** When the model that there is now was made: what an earlier one of its name served is no history of it. */
function madeAt({ project, model }: ModelName) {
  return sql<Date>`(select created_at from model where project = ${project} and name = ${model})`;
}

/** 0 when there is no such alias. */
async function findTarget(tx: Transaction, name: AliasName): Promise<bigint> {
  const row = await tx
    .selectFrom("alias")
    .select("version")
    .where("project", "=", name.project)
    .where("model", "=", name.model)
    .where("name", "=", name.alias)
    .executeTakeFirst();
  return BigInt(row?.version ?? 0);
}

async function setTarget(
  tx: Transaction,
  name: AliasName,
  target: { version: bigint; movedAt: Date; movedBy: string },
): Promise<void> {
  if (target.version === 0n) {
    await tx
      .deleteFrom("alias")
      .where("project", "=", name.project)
      .where("model", "=", name.model)
      .where("name", "=", name.alias)
      .execute();
    return;
  }
  const values = { version: String(target.version), moved_at: target.movedAt, moved_by: target.movedBy };
  await tx
    .insertInto("alias")
    .values({ project: name.project, model: name.model, name: name.alias, ...values })
    .onConflict((conflict) => conflict.columns(["project", "model", "name"]).doUpdateSet(values))
    .execute();
}

async function lastMove(tx: Transaction, name: AliasName): Promise<AliasMoveRow> {
  return selectMoves(tx, name, name.alias).orderBy("id", "desc").limit(1).executeTakeFirstOrThrow();
}

/** The alias's moves since it was last removed, oldest first. */
async function pastOf(tx: Transaction, name: AliasName) {
  const { rows } = await sql<{ to_version: string; rollback: boolean }>`
    select to_version, rollback from alias_move
    where project = ${name.project} and model = ${name.model} and alias = ${name.alias}
      and id > coalesce((
        select max(id) from alias_move
        where project = ${name.project} and model = ${name.model} and alias = ${name.alias} and to_version = 0), 0)
    order by id`.execute(tx);
  return rows.map((row) => ({ toVersion: BigInt(row.to_version), rollback: row.rollback }));
}

async function assertReady(tx: Transaction, name: ModelName, version: bigint): Promise<void> {
  const row = await tx
    .selectFrom("version")
    .select("state")
    .where("project", "=", name.project)
    .where("model", "=", name.model)
    .where("version", "=", String(version))
    .executeTakeFirst();
  if (row === undefined) throw versionNotFound(name, version);
  if (row.state === "READY") return;
  throw new AimassError(
    "FAILED_PRECONDITION",
    `Version ${version} is ${row.state}; an alias may only point at a READY one.`,
    {
      reason: "VERSION_STATE",
      field: "version",
      remedy: "Choose a READY version.",
    },
  );
}

function notReviewed({ project, model }: ModelName, version: bigint): AimassError {
  const message = `Version ${version} was never approved, and the project "${project}" requires a review by now.`;
  return new AimassError("FAILED_PRECONDITION", message, {
    reason: "REVIEW_REQUIRED",
    field: "version",
    remedy: `Ask for one: aimass models review ${formatResource(project, model)}:${version} --request`,
  });
}

function assertExpected(name: AliasName, current: bigint, expected: Expected): void {
  if (expected === undefined || expected === current) return;
  const is = current === 0n ? "does not exist" : `points at version ${current}`;
  const should = expected === 0n ? "not to exist" : `to point at version ${expected}`;
  throw new AimassError("ABORTED", `The alias "${name.alias}" ${is}; it was expected ${should}.`, {
    reason: "ALIAS_MOVED",
    field: "expected_version",
    remedy: "Look at where it points now and decide again.",
  });
}

function assertReason(reason: string): void {
  if (reason.length > maxReason)
    throw invalid("reason", "The reason is too long.", `At most ${maxReason} characters fit.`);
}

function nothingBefore(name: AliasName): AimassError {
  return new AimassError("FAILED_PRECONDITION", `The alias "${name.alias}" has no move before to go back to.`, {
    reason: "NO_EARLIER_MOVE",
    remedy: "Move it to the version you want.",
  });
}

function readId(text: string): string {
  if (/^\d{1,18}$/.test(text)) return text;
  throw invalid("page.token", "The page token is not one of this list.", "Start without a token.");
}
