import { randomBytes } from "node:crypto";
import { Effect, type Grant } from "@aimass/api/auth";
import { AimassError, type Clock } from "@aimass/core";
import { levelName, policyEntryKey } from "@aimass/identity";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { AuthTransaction, Cause } from "../database.ts";
import type { AuthEvents, ChangeName } from "../events.ts";
import type { Page } from "../page.ts";
import type { Changed, PolicyWriter } from "../policy/policy-change.ts";
import type { GrantRow } from "./grant-row.ts";

/** The grants in the database. Who may do what with them is decided by the caller (`assertMayGive`). */
export class Grants {
  readonly #writer: PolicyWriter;
  readonly #events: AuthEvents;
  readonly #clock: Clock;

  constructor(options: { writer: PolicyWriter; events: AuthEvents; clock: Clock }) {
    this.#writer = options.writer;
    this.#events = options.events;
    this.#clock = options.clock;
  }

  /**
   * Gives, replacing a grant with the same subject, resource and effect. `mayReplace` is asked, inside the transaction, about the one replaced.
   * Throws NOT_FOUND for an unknown subject.
   */
  async put(grant: Grant, cause: Cause, mayReplace: (old: GrantRow) => void): Promise<Changed<GrantRow>> {
    return await this.#writer.change(async ({ tx, touch }) => {
      await assertSubjectExists(tx, grant.subject);
      const old = await this.#findEqual(tx, grant);
      if (old !== undefined) mayReplace(old);
      const row = this.#rowOf(grant, old, cause.actor);
      if (old !== undefined && isSame(old, row)) return old;
      await tx
        .insertInto("access_grant")
        .values(row)
        .onConflict((conflict) => conflict.column("id").doUpdateSet(row))
        .execute();
      touch(policyEntryKey.grant(row.id));
      await this.#tell(tx, cause, row, old === undefined ? "created" : "updated");
      return row;
    });
  }

  /** Takes back. A grant that is gone already is fine. */
  async delete(id: string, cause: Cause): Promise<Changed<void>> {
    return await this.#writer.change(async ({ tx, touch }) => {
      const row = await tx.deleteFrom("access_grant").where("id", "=", id).returningAll().executeTakeFirst();
      if (row === undefined) return;
      touch(policyEntryKey.grant(id));
      await this.#tell(tx, cause, row, "deleted");
    });
  }

  async find(id: string): Promise<GrantRow | undefined> {
    return await this.#writer.store.db.selectFrom("access_grant").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** One row more than the page holds, by resource then id; keys are ids. */
  async list(filter: { resource: string; subject: string }, page: Page): Promise<GrantRow[]> {
    let query = this.#writer.store.db
      .selectFrom("access_grant")
      .selectAll()
      .orderBy("id")
      .limit(page.size + 1);
    if (filter.resource !== "") query = query.where("resource", "=", filter.resource);
    if (filter.subject !== "") query = query.where("subject", "=", filter.subject);
    if (page.after !== undefined) query = query.where("id", ">", page.after);
    return await query.execute();
  }

  /** Says how old a snapshot may be for a project; undefined for the platform's limit. */
  async putProjectPolicy(project: string, maxAgeSeconds: bigint | undefined, cause: Cause): Promise<Changed<void>> {
    return await this.#writer.change(async ({ tx, touch }) => {
      await tx.deleteFrom("project_policy").where("project", "=", project).execute();
      if (maxAgeSeconds !== undefined) {
        const set_at = new Date(this.#clock.now());
        const row = { project, max_snapshot_age_seconds: maxAgeSeconds.toString(), set_at };
        await tx.insertInto("project_policy").values(row).execute();
      }
      touch(policyEntryKey.project(project));
      await this.#events.project(tx, cause, project);
    });
  }

  async #findEqual(tx: AuthTransaction, grant: Grant): Promise<GrantRow | undefined> {
    return await tx
      .selectFrom("access_grant")
      .selectAll()
      .where("subject", "=", grant.subject)
      .where("resource", "=", grant.resource)
      .where("effect", "=", grant.effect)
      .executeTakeFirst();
  }

  #rowOf(grant: Grant, old: GrantRow | undefined, actor: string): GrantRow {
    return {
      id: old?.id ?? randomBytes(8).toString("hex"),
      subject: grant.subject,
      resource: grant.resource,
      level: grant.level,
      verbs: [...new Set(grant.verbs)].sort(),
      effect: grant.effect,
      expires_at: grant.expiresAt === undefined ? null : timestampDate(grant.expiresAt),
      created_by: actor,
      created_at: new Date(this.#clock.now()),
    };
  }

  async #tell(tx: AuthTransaction, cause: Cause, row: GrantRow, change: ChangeName): Promise<void> {
    await tellGrant(this.#events, tx, cause, row, change);
  }
}

/** Publishes what happened to a grant. */
export async function tellGrant(
  events: AuthEvents,
  tx: AuthTransaction,
  cause: Cause,
  row: GrantRow,
  change: ChangeName,
): Promise<void> {
  await events.grant(tx, cause, {
    grantId: row.id,
    subject: row.subject,
    resource: row.resource,
    level: levelName(row.level) ?? "",
    verbs: row.verbs,
    effect: row.effect === Effect.DENY ? "deny" : "allow",
    change,
  });
}

function isSame(a: GrantRow, b: GrantRow): boolean {
  return (
    a.level === b.level &&
    a.expires_at?.getTime() === b.expires_at?.getTime() &&
    JSON.stringify(a.verbs) === JSON.stringify(b.verbs)
  );
}

async function assertSubjectExists(tx: AuthTransaction, subject: string): Promise<void> {
  if (subject === "anonymous") return;
  const group = subject.startsWith("group:") ? subject.slice("group:".length) : undefined;
  const found =
    group === undefined
      ? await tx.selectFrom("principal").select("id").where("id", "=", subject).executeTakeFirst()
      : await tx.selectFrom("principal_group").select("name").where("name", "=", group).executeTakeFirst();
  if (found === undefined) {
    throw new AimassError("NOT_FOUND", `There is no ${subject}.`, {
      field: "grant.subject",
      reason: "NO_SUBJECT",
      remedy: `Make it first: \`${makingOf(subject)}\`.`,
    });
  }
}

function makingOf(subject: string): string {
  const [kind, name] = subject.split(":");
  if (kind === "user") return `aimass users create ${name}`;
  return kind === "group" ? `aimass groups add ${name} MEMBER` : `aimass keys create --service-account ${name}`;
}
