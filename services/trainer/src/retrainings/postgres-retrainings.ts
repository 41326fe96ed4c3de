import { JobSpecSchema, type Retraining } from "@aimass/api/trainer";
import { UuidV7Maker } from "@aimass/events";
import type { Store } from "@aimass/store";
import { toBinary } from "@bufbuild/protobuf";
import { sql } from "kysely";
import type { Database, RetrainingRow } from "../database.ts";
import { retrainingMessage } from "./retraining-message.ts";
import type { RetrainingRule } from "./retraining-rule.ts";

/** Told when a rule may be due earlier than was known; no payload. */
export const retrainingChannel = "trainer_retraining";

/** What began, or could not. */
export type RetrainingOutcome =
  | { readonly kind: "began"; readonly jobId: string }
  /** Trying again at once would not help: the next occasion is waited for. */
  | { readonly kind: "refused"; readonly error: string }
  /** It is tried again soon. */
  | { readonly kind: "postponed"; readonly error: string };

/** How long a trainer has for a rule that it sees to, and how long one waits after an error that may pass. */
export const holdMs = 30_000;

/** The rules, by project and name. Time is the database's alone. */
export class PostgresRetrainings {
  readonly #store: Store<Database>;
  readonly #ids: UuidV7Maker;

  constructor(store: Store<Database>) {
    this.#store = store;
    this.#ids = new UuidV7Maker(() => store.clock.now());
  }

  /** Makes or replaces a rule. `seenVersion` is the dataset's newest: it is not new data. An equal rhythm goes on as it was. */
  async put(rule: RetrainingRule, author: string, seenVersion: bigint): Promise<Retraining> {
    const { project, name, onNewData: on_new_data, everyMs: every_ms, paused } = rule;
    const values = {
      spec: Buffer.from(toBinary(JobSpecSchema, rule.spec)),
      on_new_data,
      every_ms,
      paused,
      created_by: author,
      seen_version: seenVersion,
      new_version: seenVersion,
    };
    const first = sql<Date>`clock_timestamp() + ${every_ms} * interval '1 millisecond'`;
    const goesOn = sql<boolean>`retraining.every_ms = ${every_ms} and not retraining.paused`;
    return this.#store.withTransaction(async (tx) => {
      const row = await tx
        .insertInto("retraining")
        .values({ project, name, id: this.#ids.next(), ...values, next_at: first })
        .onConflict((c) =>
          c.columns(["project", "name"]).doUpdateSet({
            ...values,
            set_at: sql`clock_timestamp()`,
            next_at: sql<Date>`case when ${goesOn} then retraining.next_at else ${first} end`,
            ...free,
            last_error: "",
          }),
        )
        .returningAll()
        .executeTakeFirstOrThrow();
      await this.#store.notify(tx, retrainingChannel);
      return retrainingMessage(row);
    });
  }

  /** Rules of these projects, by project and name. */
  async list(projects: readonly string[]): Promise<Retraining[]> {
    if (projects.length === 0) return [];
    const rows = await this.#store.db
      .selectFrom("retraining")
      .selectAll()
      .where("project", "in", [...projects])
      .orderBy("project")
      .orderBy("name")
      .execute();
    return rows.map(retrainingMessage);
  }

  /** Names of the projects that have rules. */
  async projects(): Promise<string[]> {
    const rows = await this.#store.db.selectFrom("retraining").select("project").distinct().execute();
    return rows.map((row) => row.project);
  }

  async delete(project: string, name: string): Promise<void> {
    await this.#store.db.deleteFrom("retraining").where("project", "=", project).where("name", "=", name).execute();
  }

  /** Notes that a dataset was deleted then with all its versions: its rules say so before they would fail by it. Bears repetition. */
  async noteGone({ project, dataset }: DatasetName, deletedAt: Date): Promise<void> {
    await this.#setErrorOf({ project, dataset }, goneError(dataset), (rule) => rule.set_at <= deletedAt);
  }

  /** Sets what the rules of a dataset say, of those that fit. */
  async #setErrorOf({ project, dataset }: DatasetName, last_error: string, fits: (rule: RetrainingRow) => boolean) {
    const rows = await this.#store.db.selectFrom("retraining").selectAll().where("project", "=", project).execute();
    const ids = rows.filter((row) => trainsOn(row, dataset) && fits(row)).map((row) => row.id);
    if (ids.length === 0) return;
    await this.#store.db.updateTable("retraining").set({ last_error }).where("id", "in", ids).execute();
  }

  /** Notes that a dataset has a new version. Bears repetition. */
  async noteVersion(dataset: DatasetName & { version: bigint }): Promise<void> {
    const gone = goneError(dataset.dataset);
    await this.#setErrorOf(dataset, "", (rule) => rule.last_error === gone);
    const rows = await this.#store.db
      .selectFrom("retraining")
      .selectAll()
      .where("project", "=", dataset.project)
      .where("on_new_data", "=", true)
      .where("new_version", "<", String(dataset.version))
      .execute();
    const ids = rows.filter((row) => trainsOn(row, dataset.dataset)).map((row) => row.id);
    if (ids.length === 0) return;
    await this.#store.withTransaction(async (tx) => {
      await tx
        .updateTable("retraining")
        .set({ new_version: sql`greatest(new_version, ${dataset.version})` })
        .where("id", "in", ids)
        .execute();
      await this.#store.notify(tx, retrainingChannel);
    });
  }

  /** Pauses the rules of somebody who was deleted then: whoever gets the name later did not ask for them. Bears repetition. */
  async pauseOf(author: string, deletedAt: Date): Promise<void> {
    await this.#store.db
      .updateTable("retraining")
      .set({ paused: true, last_error: `Its author, ${author}, was deleted. Set it again to go on in your name.` })
      .where("created_by", "=", author)
      .where("set_at", "<=", deletedAt)
      .where("paused", "=", false)
      .execute();
  }

  /** Takes a rule that is due, so that other trainers leave it alone for a while; undefined when there is none. */
  async take(): Promise<RetrainingRow | undefined> {
    const { rows } = await sql<RetrainingRow>`
      update retraining
      set held_until = date_trunc('milliseconds', clock_timestamp()) + ${holdMs} * interval '1 millisecond'
      where (project, name) = (
        select project, name from retraining
        where not paused and held_until <= clock_timestamp()
          and ((every_ms > 0 and next_at <= clock_timestamp()) or (on_new_data and new_version > seen_version))
        order by held_until, next_at limit 1 for update skip locked
      )
      returning *
    `.execute(this.#store.db);
    return rows[0];
  }

  /** How long until the first rule whose time is known is due, in milliseconds; infinite when there is none. */
  async untilDueMs(): Promise<number> {
    const { rows } = await sql<{ ms: number | null }>`
      with due as (
        select case when on_new_data and new_version > seen_version then held_until else greatest(held_until, next_at) end as at
        from retraining
        where not paused and (every_ms > 0 or (on_new_data and new_version > seen_version))
      )
      select (extract(epoch from min(at) - clock_timestamp()) * 1000)::float as ms from due where at > clock_timestamp()
    `.execute(this.#store.db);
    return rows[0]?.ms ?? Number.POSITIVE_INFINITY;
  }

  /** Notes what came of a rule that was taken, unless it was changed meanwhile. */
  async settle(row: RetrainingRow, occasion: Occasion, outcome: RetrainingOutcome): Promise<void> {
    const over = { ...(occasion === "data" ? { seen_version: row.new_version } : { next_at: nextAt }), ...free };
    await this.#store.db
      .updateTable("retraining")
      .set({
        last_error: outcome.kind === "began" ? "" : outcome.error,
        ...(outcome.kind === "began" && { last_job_id: outcome.jobId }),
        ...(outcome.kind !== "postponed" && over),
      })
      .where("id", "=", row.id)
      .where("held_until", "=", row.held_until)
      .execute();
  }
}

interface DatasetName {
  readonly project: string;
  readonly dataset: string;
}

function trainsOn(row: RetrainingRow, dataset: string): boolean {
  return retrainingMessage(row).spec?.dataset === dataset;
}

function goneError(dataset: string): string {
  return `The dataset "${dataset}" was deleted. Push it again, or remove the rule.`;
}

/** What makes a rule due. */
export type Occasion = "data" | "time";

const free = { held_until: sql<Date>`'-infinity'` };
/** The first time of the rhythm that is still to come: those that passed are made up for once. */
const nextAt = sql<Date>`next_at + every_ms * interval '1 millisecond'
  * (floor(extract(epoch from clock_timestamp() - next_at) * 1000 / every_ms) + 1)`;
