import { type Event, EventSchema } from "@aimass/api/events";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Selectable, sql } from "kysely";
import type { AuthDatabase, AuthStore, AuthTransaction } from "../database.ts";
import type { Page } from "../page.ts";
import { auditAction } from "./audit-action.ts";
import { type ChainedEntry, entryHash, genesisHash } from "./audit-chain.ts";

export type AuditRow = Selectable<AuthDatabase["audit_entry"]>;

/** Which entries are wanted; empty texts and absent dates match all. */
export interface AuditFilter {
  readonly actor: string;
  /** "grant.put", or the part before the dot. */
  readonly action: string;
  readonly resource: string;
  readonly from: Date | undefined;
  readonly until: Date | undefined;
}

const pageOfExport = 500;

/** The append-only record of what changed. */
export class Ledger {
  readonly #store: AuthStore;

  constructor(store: AuthStore) {
    this.#store = store;
  }

  /** Chains an event, once however often it comes. One process at a time does (an advisory lock). Returns the sequence, undefined when it was chained before. */
  async append(event: Event): Promise<bigint | undefined> {
    return await this.#store.withTransaction(async (tx) => {
      await sql`select pg_advisory_xact_lock(hashtextextended('aimass.auth.audit', 0))`.execute(tx);
      const known = await tx
        .selectFrom("audit_entry")
        .select("sequence")
        .where("event_id", "=", event.id)
        .executeTakeFirst();
      if (known !== undefined) return undefined;
      return await appendAfterLast(tx, event);
    });
  }

  /** One row more than the page holds, newest first; keys are sequences. */
  async list(filter: AuditFilter, page: Page): Promise<AuditRow[]> {
    let query = this.#store.db
      .selectFrom("audit_entry")
      .selectAll()
      .orderBy("sequence", "desc")
      .limit(page.size + 1);
    if (filter.actor !== "") query = query.where("actor", "=", filter.actor);
    if (filter.resource !== "") query = query.where("resource", "=", filter.resource);
    if (filter.action.includes(".")) query = query.where("action", "=", filter.action);
    else if (filter.action !== "") query = query.where("action", "^@", sql<string>`${`${filter.action}.`}`);
    if (filter.from !== undefined) query = query.where("occurred_at", ">=", filter.from);
    if (filter.until !== undefined) query = query.where("occurred_at", "<", filter.until);
    if (page.after !== undefined) query = query.where("sequence", "<", page.after);
    return await query.execute();
  }

  /** Every entry after a sequence, oldest first, some at a time. */
  async *read(afterSequence: bigint): AsyncGenerator<AuditRow[]> {
    let after = afterSequence.toString();
    while (true) {
      const rows = await this.#store.db
        .selectFrom("audit_entry")
        .selectAll()
        .where("sequence", ">", after)
        .orderBy("sequence")
        .limit(pageOfExport)
        .execute();
      const last = rows.at(-1);
      if (last === undefined) return;
      yield rows;
      after = last.sequence;
    }
  }

  /** The newest entry's place and hash; sequence 0 for an empty ledger. */
  async head(): Promise<{ sequence: bigint; hash: Uint8Array }> {
    const row = await lastEntry(this.#store.db);
    return row === undefined
      ? { sequence: 0n, hash: genesisHash }
      : { sequence: BigInt(row.sequence), hash: new Uint8Array(row.hash) };
  }
}

/** The links of a row. */
export function chainedEntry(row: AuditRow): ChainedEntry {
  return {
    sequence: BigInt(row.sequence),
    payload: row.payload,
    previousHash: row.previous_hash,
    hash: row.hash,
  };
}

/** Whether the columns that entries are found by say what the payload says: only the payload is chained. */
export function columnsFit(row: AuditRow): boolean {
  const told = searchable(fromBinary(EventSchema, row.payload));
  const texts = ["event_id", "actor", "action", "resource"] as const;
  return texts.every((name) => told[name] === row[name]) && told.occurred_at.getTime() === row.occurred_at.getTime();
}

/** The columns of an entry that are read out of its event. */
function searchable(event: Event) {
  return {
    event_id: event.id,
    occurred_at: event.occurredAt === undefined ? new Date(0) : timestampDate(event.occurredAt),
    actor: event.actor,
    action: auditAction(event),
    resource: event.resource,
  };
}

async function appendAfterLast(tx: AuthTransaction, event: Event): Promise<bigint> {
  const last = await lastEntry(tx);
  const sequence = BigInt(last?.sequence ?? 0) + 1n;
  const previousHash = last?.hash ?? genesisHash;
  const payload = toBinary(EventSchema, event);
  await tx
    .insertInto("audit_entry")
    .values({
      sequence: sequence.toString(),
      ...searchable(event),
      payload: Buffer.from(payload),
      previous_hash: Buffer.from(previousHash),
      hash: Buffer.from(entryHash(previousHash, sequence, payload)),
    })
    .execute();
  return sequence;
}

async function lastEntry(db: AuthStore["db"] | AuthTransaction) {
  return await db
    .selectFrom("audit_entry")
    .select(["sequence", "hash"])
    .orderBy("sequence", "desc")
    .limit(1)
    .executeTakeFirst();
}
