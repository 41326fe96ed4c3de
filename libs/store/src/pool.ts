import pg from "pg";
import { fromDatabaseError } from "./database-error.ts";

export interface PoolOptions {
  readonly url: string;
  readonly schema: string;
  readonly maxConnections: number;
  /** A query that gives no answer for this long counts as a dead connection. */
  readonly queryTimeoutMs: number;
  /** Told when an idle connection breaks; nothing has to be done. */
  readonly onError: (error: Error) => void;
}

const connectTimeoutMs = 5_000;
const idleTimeoutMs = 30_000;

/** Settings of one connection. The server notices within half a minute that a client's machine is gone. */
export function connectionSettings(url: string, schema?: string): pg.ClientConfig {
  const settings = ["tcp_keepalives_idle=10", "tcp_keepalives_interval=5", "tcp_keepalives_count=3"];
  if (schema !== undefined) settings.push(`search_path=${schema},public`);
  return {
    connectionString: url,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: `aimass-${schema ?? "mesh"}`,
    options: settings.map((setting) => `-c ${setting}`).join(" "),
  };
}

/** A pool whose errors are AimassErrors where the connection is to blame, and whose broken connections never end the process. */
export function openPool(options: PoolOptions): pg.Pool {
  const pool = new StorePool({
    ...connectionSettings(options.url, options.schema),
    max: options.maxConnections,
    idleTimeoutMillis: idleTimeoutMs,
    query_timeout: options.queryTimeoutMs,
    Client: StoreClient,
  } as pg.PoolConfig);
  pool.on("error", options.onError);
  return pool;
}

/** A connection of the caller's own, for what belongs to a session: advisory locks, LISTEN. The caller listens for "error" and ends it. */
export async function openSession(url: string, schema: string, queryTimeoutMs = 30_000): Promise<pg.Client> {
  const client = new StoreClient({ ...connectionSettings(url, schema), query_timeout: queryTimeoutMs });
  try {
    await client.connect();
    return client;
  } catch (error) {
    client.end().catch(() => {});
    throw fromDatabaseError(error);
  }
}

type Arguments = unknown[];
type AnyFunction = (...parameters: Arguments) => unknown;

/** A connection that may break while it is lent out between two queries: without a listener that would end the process. */
class StoreClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config as pg.ClientConfig);
    this.on("error", () => {});
  }

  override query = ((...parameters: Arguments) => {
    const result = (pg.Client.prototype.query as unknown as AnyFunction).apply(this, parameters);
    return result instanceof Promise ? result.catch((error: unknown) => this.#fail(error)) : result;
  }) as unknown as pg.Client["query"];

  /** After a read time-out the answer may still come and be taken for the next query's: such a connection is closed. */
  #fail(error: unknown): never {
    if (error instanceof Error && /^query read timeout/i.test(error.message)) {
      this.end().catch(() => {});
    }
    throw fromDatabaseError(error);
  }
}

class StorePool extends pg.Pool {
  override connect = ((...parameters: Arguments) => {
    const result = (pg.Pool.prototype.connect as unknown as AnyFunction).apply(this, parameters);
    return result instanceof Promise ? result.catch(rethrow) : result;
  }) as unknown as pg.Pool["connect"];

  override query = ((...parameters: Arguments) => {
    const result = (pg.Pool.prototype.query as unknown as AnyFunction).apply(this, parameters);
    return result instanceof Promise ? result.catch(rethrow) : result;
  }) as unknown as pg.Pool["query"];
}

function rethrow(error: unknown): never {
  throw fromDatabaseError(error);
}
