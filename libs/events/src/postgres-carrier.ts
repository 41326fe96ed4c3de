import { type Clock, keepTrying } from "@aimass/core";
import { openStore, type Store } from "@aimass/store";
import { sql } from "kysely";
import {
  type CarrierMessage,
  type ConsumeOptions,
  type EventCarrier,
  redeliveryBackoff,
  retentionMs,
} from "./event-carrier.ts";
import { eventChannel, PostgresConsumer } from "./postgres-consumer.ts";
import { postgresMigrations } from "./postgres-migrations.ts";

/** The schema that all services share. */
export const schema = "events";
const purgeEveryMs = 3_600_000;
const fewConnections = 3;

interface Tables {
  event: { position: string; id: string; subject: string; payload: Uint8Array };
  consumer: { name: string; position: string };
}

export interface PostgresCarrierOptions {
  readonly databaseUrl: string;
  readonly clock: Clock;
  readonly onError?: ((error: unknown) => void) | undefined;
}

/**
 * Carries events in a table. Writers take turns by an advisory lock that they hold until they commit, so that positions become visible in their order and a reader
 * that has seen one position has seen all below it. Writers are relays alone and their transactions short; a long transaction elsewhere delays nothing.
 */
export class PostgresCarrier implements EventCarrier {
  readonly #options: PostgresCarrierOptions;
  readonly #store: Store<Tables>;
  readonly #end = new AbortController();
  readonly #purging: Promise<void>;

  private constructor(options: PostgresCarrierOptions, store: Store<Tables>) {
    this.#options = options;
    this.#store = store;
    this.#purging = this.#purge();
  }

  static async open(options: PostgresCarrierOptions): Promise<PostgresCarrier> {
    const { databaseUrl: url, clock, onError } = options;
    const migrations = postgresMigrations;
    const store = await openStore<Tables>({ url, schema, migrations, maxConnections: fewConnections, clock, onError });
    return new PostgresCarrier(options, store);
  }

  async publish(messages: readonly CarrierMessage[]): Promise<void> {
    if (messages.length === 0) return;
    await this.#store.withTransaction(async (tx) => {
      await sql`select pg_advisory_xact_lock(hashtextextended('aimass.events.publish', 0))`.execute(tx);
      await sql`
        insert into event (id, subject, payload)
        select id, subject, payload
        from unnest(${ids(messages)}::text[], ${subjects(messages)}::text[], ${payloads(messages)}::bytea[])
          with ordinality as message (id, subject, payload, turn)
        order by turn
        on conflict (id) do nothing`.execute(tx);
      await this.#store.notify(tx, eventChannel);
    });
  }

  async consume(options: ConsumeOptions): Promise<void> {
    const { databaseUrl, clock } = this.#options;
    const { signal, onFailure } = options;
    await keepTrying((healthy) => PostgresConsumer.run({ ...options, databaseUrl, clock, healthy }), {
      clock,
      signal,
      backoff: redeliveryBackoff,
      onFailure,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#purging;
    await this.#store[Symbol.asyncDispose]();
  }

  async #purge(): Promise<void> {
    const { clock, onError } = this.#options;
    while (!this.#end.signal.aborted) {
      await sql`delete from event where published_at < now() - ${retentionMs} * interval '1 millisecond'`
        .execute(this.#store.db)
        .catch((error: unknown) => onError?.(error));
      await clock.sleep(purgeEveryMs, this.#end.signal).catch(() => {});
    }
  }
}

const ids = (messages: readonly CarrierMessage[]) => messages.map((message) => message.id);
const subjects = (messages: readonly CarrierMessage[]) => messages.map((message) => message.subject);
const payloads = (messages: readonly CarrierMessage[]) => messages.map((message) => Buffer.from(message.payload));
