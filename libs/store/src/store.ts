import { Backoff, type Clock, systemClock } from "@aimass/core";
import { type IsolationLevel, Kysely, PostgresDialect, sql, type Transaction } from "kysely";
import type pg from "pg";
import { contended, isRetryable } from "./database-error.ts";
import { Listener } from "./listener.ts";
import { openPool } from "./pool.ts";
import { prepareSchema } from "./prepare-schema.ts";
import type { StoreOptions } from "./store-options.ts";

export interface TransactionOptions {
  /** Default "read committed". */
  readonly isolation?: IsolationLevel | undefined;
}

/**
 * A service's part of the database. The server may die and come back: queries fail with `UNAVAILABLE` (reason `DATABASE_UNAVAILABLE`) while it is away, and work again
 * after. `bigint` columns are read as strings, as pg does.
 */
export interface Store<Database> extends AsyncDisposable {
  readonly schema: string;
  /** Typed SQL; names without a schema are this store's own. */
  readonly db: Kysely<Database>;
  readonly pool: pg.Pool;
  readonly clock: Clock;
  /**
   * Runs work in a transaction, again from the start after a serialization failure or a deadlock: what it does outside the database must bear repetition.
   *
   * ### Errors
   * - `ABORTED` `CONTENTION`: every try failed that way. - `UNAVAILABLE`: the connection broke; whether the commit happened is then unknown.
   */
  withTransaction<T>(work: (tx: Transaction<Database>) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /**
   * Calls back on NOTIFY, and with an empty payload after a lost connection came back (notifications may have been missed). Resolves when listening.
   * Channels are shared by the whole database: begin them with the schema's name.
   */
  listen(channel: string, onNotify: (payload: string) => void): Promise<Disposable>;
  /** Sends when the transaction commits. At most 8000 bytes. */
  notify(tx: Transaction<Database>, channel: string, payload?: string): Promise<void>;
}

const plainSchema = /^[a-z_][a-z0-9_]{0,40}$/;
const transactionTries = 8;

/**
 * Opens a service's store: waits for the server, makes the schema, runs what is missing of its migrations.
 *
 * ### Errors
 * - `UNAVAILABLE`: no server within `waitMs`. - `FAILED_PRECONDITION`: see `migrate`; or the user, password or database is wrong.
 */
export async function openStore<Database>(options: StoreOptions): Promise<Store<Database>> {
  if (!plainSchema.test(options.schema)) throw new RangeError(`"${options.schema}" is no plain schema name.`);
  await prepareSchema(options);
  return new PostgresStore<Database>(options);
}

class PostgresStore<Database> implements Store<Database> {
  readonly schema: string;
  readonly db: Kysely<Database>;
  readonly pool: pg.Pool;
  readonly clock: Clock;
  readonly #listener: Listener;

  constructor(options: StoreOptions) {
    const { url, schema, clock = systemClock, onError = () => {} } = options;
    this.schema = schema;
    this.clock = clock;
    const { maxConnections = 10, queryTimeoutMs = 30_000 } = options;
    this.pool = openPool({ url, schema, maxConnections, queryTimeoutMs, onError });
    this.db = new Kysely<Database>({ dialect: new PostgresDialect({ pool: this.pool }) });
    this.#listener = new Listener({ url, schema, clock, onError });
  }

  async withTransaction<T>(
    work: (tx: Transaction<Database>) => Promise<T>,
    options: TransactionOptions = {},
  ): Promise<T> {
    const backoff = new Backoff({ initialMs: 5, multiplier: 2, maxMs: 200, jitter: 0.5 });
    for (let left = transactionTries; ; left--) {
      try {
        const builder = this.db.transaction();
        const isolated = options.isolation === undefined ? builder : builder.setIsolationLevel(options.isolation);
        return await isolated.execute(work);
      } catch (error) {
        if (!isRetryable(error)) throw error;
        if (left <= 1) throw contended(error);
        await this.clock.sleep(backoff.next());
      }
    }
  }

  listen(channel: string, onNotify: (payload: string) => void): Promise<Disposable> {
    return this.#listener.listen(channel, onNotify);
  }

  async notify(tx: Transaction<Database>, channel: string, payload = ""): Promise<void> {
    await sql`select pg_notify(${channel}, ${payload})`.execute(tx);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]();
    await this.db.destroy();
  }
}
