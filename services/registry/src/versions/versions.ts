import { ReviewDecidedSchema, VersionChangedSchema } from "@aimass/api/events";
import type { BundleFile, Version } from "@aimass/api/registry";
import { AimassError, type Clock } from "@aimass/core";
import { formatResource } from "@aimass/identity";
import type { Store } from "@aimass/store";
import { create } from "@bufbuild/protobuf";
import type { Actor } from "../actor.ts";
import type { Database, StateName, Transaction } from "../database.ts";
import { versionNotFound } from "../errors.ts";
import type { Journal } from "../journal.ts";
import { lockModel, type Models } from "../models/models.ts";
import type { ModelName } from "../names.ts";
import { type Page, type Slice, sliceOf, strangeToken } from "../pages.ts";
import { isReviewRequired, lacksReview } from "./required-review.ts";
import { decodeVersion, encodeBody, type VersionRow } from "./version-body.ts";
import { firstState, type Step, stateAfter } from "./version-state.ts";

/** A version about to be registered: inspected, complete but for its number, state and author. */
export interface VersionDraft extends ModelName {
  readonly version: Version;
  readonly bundleDigest: Buffer;
  /** Empty: none. */
  readonly idempotencyKey: string;
  /** The model is made in the same transaction when it is not there. */
  readonly createModel: boolean;
}

/** The versions of models: numbered 1, 2, 3 … per model without gaps, immutable but for their state. */
export class Versions {
  readonly #store: Store<Database>;
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #models: Pick<Models, "ensure">;

  constructor(options: {
    store: Store<Database>;
    journal: Journal;
    clock: Clock;
    models: Pick<Models, "ensure">;
  }) {
    this.#store = options.store;
    this.#journal = options.journal;
    this.#clock = options.clock;
    this.#models = options.models;
  }

  /** The version made with this key before, if any. Errors: INVALID_ARGUMENT when it was made of other files. */
  async findRepeat(draft: Omit<VersionDraft, "version" | "createModel">): Promise<Version | undefined> {
    if (draft.idempotencyKey === "") return undefined;
    return repeatOf(await findByKey(this.#store.db, draft), draft);
  }

  /** Registers the next version. Errors: NOT_FOUND (the model is gone), INVALID_ARGUMENT (the key was used for other files). */
  register(actor: Actor, draft: VersionDraft): Promise<Version> {
    return this.#store.withTransaction(async (tx) => {
      if (draft.createModel) await this.#models.ensure(tx, actor, draft);
      const model = await lockModel(tx, draft);
      const before = draft.idempotencyKey === "" ? undefined : await findByKey(tx, draft);
      const repeat = repeatOf(before, draft);
      if (repeat !== undefined) return repeat;
      const state = firstState(await isReviewRequired(tx, draft.project));
      const number = BigInt(model.last_version) + 1n;
      const row = await this.#insert(tx, actor, draft, { number, state });
      await this.#tell(tx, actor, row);
      return decodeVersion(row);
    });
  }

  /** Errors: NOT_FOUND. */
  async get(name: ModelName, version: bigint): Promise<Version> {
    const row = await selectVersion(this.#store.db, name).where("version", "=", String(version)).executeTakeFirst();
    if (row === undefined) throw versionNotFound(name, version);
    return decodeVersion(row);
  }

  /** By number or alias; empty: the alias "default", else the newest READY version. Errors: NOT_FOUND. */
  async resolve(name: ModelName, text: string): Promise<Version> {
    if (/^\d{1,18}$/.test(text)) return this.get(name, BigInt(text));
    const target = await this.#aliasTarget(name, text === "" ? "default" : text);
    if (target !== undefined) return this.get(name, BigInt(target));
    if (text !== "") throw versionNotFound(name, text);
    const newest = await selectVersion(this.#store.db, name)
      .where("state", "=", "READY")
      .orderBy("version", "desc")
      .limit(1)
      .executeTakeFirst();
    if (newest === undefined) throw noReadyVersion(name);
    return decodeVersion(newest);
  }

  /** Newest first. */
  async list(name: ModelName, page: Page): Promise<Slice<Version>> {
    const after = page.after?.[0];
    const rows = await selectVersion(this.#store.db, name)
      .$if(after !== undefined, (query) => query.where("version", "<", readNumber(after ?? "")))
      .orderBy("version", "desc")
      .limit(page.size + 1)
      .execute();
    return sliceOf(rows, page.size, { item: decodeVersion, key: (row) => [row.version] });
  }

  /** Takes a version out of use; with `validateOnly` it only says how it would be. Errors: NOT_FOUND, FAILED_PRECONDITION while an alias points at it. */
  retire(
    actor: Actor,
    name: ModelName,
    { version, validateOnly }: { version: bigint; validateOnly: boolean },
  ): Promise<Version> {
    const change = { version, step: "retire", reason: "", validateOnly } as const;
    return this.#step(actor, name, change, (tx) => assertNoAlias(tx, name, version));
  }

  /** Errors: NOT_FOUND, FAILED_PRECONDITION. */
  requestReview(actor: Actor, name: ModelName, version: bigint, comment: string): Promise<Version> {
    return this.#step(actor, name, { version, step: "request review", reason: comment }, async (tx, row) => {
      if (row.state === "READY") {
        if (!(await lacksReview(tx, name, version))) throw nothingToReview(version);
        // In review it is not served.
        await assertNoAlias(tx, name, version);
      }
      await this.#record(tx, actor, name, { version, step: "requested", comment });
    });
  }

  /** Errors: NOT_FOUND, FAILED_PRECONDITION, PERMISSION_DENIED for one's own version. */
  decideReview(
    actor: Actor,
    name: ModelName,
    decision: { version: bigint; approved: boolean; comment: string },
  ): Promise<Version> {
    const { version, approved, comment } = decision;
    const step: Step = approved ? "approve" : "refuse";
    return this.#step(actor, name, { version, step, reason: comment }, async (tx, row) => {
      if (approved) await assertNotOwn(tx, actor, row);
      await this.#record(tx, actor, name, { version, step: approved ? "approved" : "refused", comment });
      const value = create(ReviewDecidedSchema, { ...name, version, approved, comment });
      await this.#journal(tx, {
        actor,
        resource: formatResource(name.project, name.model),
        audited: true,
        payload: { case: "reviewDecided", value },
      });
    });
  }

  /** Moves a version along its life; `effects` may refuse. A step that was taken before changes nothing. */
  #step(
    actor: Actor,
    name: ModelName,
    change: { version: bigint; step: Step; reason: string; validateOnly?: boolean },
    effects: (tx: Transaction, row: VersionRow) => Promise<void>,
  ): Promise<Version> {
    return this.#store.withTransaction(async (tx) => {
      await lockModel(tx, name);
      const row = await selectVersion(tx, name).where("version", "=", String(change.version)).executeTakeFirst();
      if (row === undefined) throw versionNotFound(name, change.version);
      const state = stateAfter(row.state, change.step, await isReviewRequired(tx, name.project));
      if (state === row.state) return decodeVersion(row);
      await effects(tx, row);
      if (change.validateOnly) return decodeVersion({ ...row, state, state_reason: change.reason });
      await tx
        .updateTable("version")
        .set({ state, state_reason: change.reason })
        .where("project", "=", name.project)
        .where("model", "=", name.model)
        .where("version", "=", String(change.version))
        .execute();
      const changed = { ...row, state, state_reason: change.reason };
      await this.#tell(tx, actor, changed);
      return decodeVersion(changed);
    });
  }

  async #insert(
    tx: Transaction,
    actor: Actor,
    draft: VersionDraft,
    place: { number: bigint; state: StateName },
  ): Promise<VersionRow> {
    const { project, model } = draft;
    const version = String(place.number);
    await tx
      .updateTable("model")
      .set({ last_version: version })
      .where("project", "=", project)
      .where("name", "=", model)
      .execute();
    const row = await tx
      .insertInto("version")
      .values({
        project,
        model,
        version,
        state: place.state,
        bundle_digest: draft.bundleDigest,
        idempotency_key: draft.idempotencyKey === "" ? null : draft.idempotencyKey,
        body: encodeBody(draft.version),
        created_at: new Date(this.#clock.now()),
        created_by: actor.id,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    const rowOf = (file: BundleFile) => ({
      project,
      model,
      version,
      path: file.path,
      sha256: Buffer.from(file.sha256),
      size_bytes: String(file.sizeBytes),
    });
    await tx.insertInto("version_file").values(draft.version.files.map(rowOf)).execute();
    const code = draft.version.lineage?.code ?? [];
    if (code.length > 0) await tx.insertInto("version_code").values(code.map(rowOf)).execute();
    return row;
  }

  async #aliasTarget(name: ModelName, alias: string): Promise<string | undefined> {
    const row = await this.#store.db
      .selectFrom("alias")
      .select("version")
      .where("project", "=", name.project)
      .where("model", "=", name.model)
      .where("name", "=", alias)
      .executeTakeFirst();
    return row?.version;
  }

  async #record(
    tx: Transaction,
    actor: Actor,
    name: ModelName,
    entry: { version: bigint; step: "requested" | "approved" | "refused"; comment: string },
  ): Promise<void> {
    await tx
      .insertInto("review")
      .values({
        project: name.project,
        model: name.model,
        version: String(entry.version),
        step: entry.step,
        comment: entry.comment,
        principal: actor.id,
        at: new Date(this.#clock.now()),
      })
      .execute();
  }

  #tell(tx: Transaction, actor: Actor, row: VersionRow): Promise<void> {
    const { project, model, state } = row;
    const value = create(VersionChangedSchema, { project, model, version: BigInt(row.version), state });
    const payload = { case: "versionChanged", value } as const;
    return this.#journal(tx, { actor, resource: formatResource(project, model), audited: true, payload });
  }
}

type Reader = Pick<Transaction, "selectFrom">;

function selectVersion(db: Reader, name: ModelName) {
  return db.selectFrom("version").selectAll().where("project", "=", name.project).where("model", "=", name.model);
}

function findByKey(db: Reader, draft: Omit<VersionDraft, "version" | "createModel">): Promise<VersionRow | undefined> {
  return selectVersion(db, draft).where("idempotency_key", "=", draft.idempotencyKey).executeTakeFirst();
}

function repeatOf(before: VersionRow | undefined, draft: { bundleDigest: Buffer }): Version | undefined {
  if (before === undefined) return undefined;
  if (before.bundle_digest.equals(draft.bundleDigest)) return decodeVersion(before);
  throw new AimassError(
    "INVALID_ARGUMENT",
    `The idempotency key was used for version ${before.version}, which has other files.`,
    { reason: "IDEMPOTENCY_KEY_REUSED", field: "idempotency_key", remedy: "Send a new key with other files." },
  );
}

async function assertNoAlias(tx: Transaction, name: ModelName, version: bigint): Promise<void> {
  const alias = await tx
    .selectFrom("alias")
    .select("name")
    .where("project", "=", name.project)
    .where("model", "=", name.model)
    .where("version", "=", String(version))
    .orderBy("name")
    .executeTakeFirst();
  if (alias === undefined) return;
  throw new AimassError("FAILED_PRECONDITION", `The alias "${alias.name}" points at version ${version}.`, {
    reason: "ALIAS_POINTS_HERE",
    remedy: "Move or delete the alias first.",
  });
}

/** Whoever made a version or asked for its review is not the second pair of eyes. */
async function assertNotOwn(tx: Transaction, actor: Actor, row: VersionRow): Promise<void> {
  const asked = await tx
    .selectFrom("review")
    .select("id")
    .where("project", "=", row.project)
    .where("model", "=", row.model)
    .where("version", "=", row.version)
    .where("step", "=", "requested")
    .where("principal", "=", actor.id)
    .executeTakeFirst();
  if (row.created_by !== actor.id && asked === undefined) return;
  const what = row.created_by === actor.id ? "made" : "asked for the review of";
  throw new AimassError("PERMISSION_DENIED", `${actor.id} ${what} version ${row.version} and may not approve it.`, {
    reason: "OWN_VERSION",
    remedy: "Someone else must review it.",
  });
}

function nothingToReview(version: bigint): AimassError {
  return new AimassError("FAILED_PRECONDITION", `Version ${version} is READY and needs no review.`, {
    reason: "VERSION_STATE",
    field: "version",
    remedy: "It was approved, or its project wants no review of versions: it may be used as it is.",
  });
}

function noReadyVersion(name: ModelName): AimassError {
  return new AimassError(
    "NOT_FOUND",
    `Model "${formatResource(name.project, name.model)}" has no alias "default" and no version that is READY.`,
    { field: "version" },
  );
}

function readNumber(text: string): string {
  if (/^\d{1,18}$/.test(text)) return text;
  throw strangeToken();
}
