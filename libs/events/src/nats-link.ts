import { AimassError } from "@aimass/core";
import { connect, Events, type NatsConnection } from "nats";
import { natsAddress } from "./nats-address.ts";

const connectTimeoutMs = 2_000;
const reconnectWaitMs = 200;

/**
 * The connection to NATS: made on first use, then kept for ever by the client. What waits for an answer when it breaks fails at once, because the client would let it run into
 * its time-out even though the server is back long before.
 */
export class NatsLink implements AsyncDisposable {
  readonly #url: string;
  readonly #role: string;
  readonly #prepare: (connection: NatsConnection) => Promise<void>;
  #connection: Promise<NatsConnection> | undefined;
  #broken = Promise.withResolvers<never>();
  #isUp = false;
  #closed = false;

  /** `prepare` runs on each new connection before it is used. */
  constructor(options: { url: string; role: string; prepare: (connection: NatsConnection) => Promise<void> }) {
    this.#url = options.url;
    this.#role = options.role;
    this.#prepare = options.prepare;
    this.#broken.promise.catch(() => {});
  }

  /** Runs work on the connection; rejects with UNAVAILABLE while it is down and when it breaks meanwhile. */
  async use<T>(work: (connection: NatsConnection) => Promise<T>): Promise<T> {
    const connection = await this.connected();
    if (!this.#isUp) throw away();
    return await Promise.race([work(connection), this.#broken.promise]);
  }

  /** The connection, which may be reconnecting. */
  connected(): Promise<NatsConnection> {
    if (this.#closed) return Promise.reject(away());
    this.#connection ??= this.#connect().catch((error: unknown) => {
      this.#connection = undefined;
      throw error;
    });
    return this.#connection;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const connection = await this.#connection?.catch(() => undefined);
    await connection?.close();
  }

  async #connect(): Promise<NatsConnection> {
    const connection = await connect({
      ...natsAddress(this.#url),
      name: `aimass-${this.#role}`,
      inboxPrefix: `_INBOX.${this.#role}`,
      timeout: connectTimeoutMs,
      maxReconnectAttempts: -1,
      reconnectTimeWait: reconnectWaitMs,
      pingInterval: 5_000,
      maxPingOut: 2,
    });
    try {
      await this.#prepare(connection);
    } catch (error) {
      await connection.close();
      throw error;
    }
    this.#isUp = true;
    void this.#follow(connection);
    return connection;
  }

  async #follow(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === Events.Disconnect) this.#break();
      if (type === Events.Reconnect) this.#isUp = true;
    }
    this.#break();
    this.#connection = undefined;
  }

  #break(): void {
    this.#isUp = false;
    this.#broken.reject(away());
    this.#broken = Promise.withResolvers<never>();
    this.#broken.promise.catch(() => {});
  }
}

function away(): AimassError {
  return new AimassError("UNAVAILABLE", "The NATS server cannot be reached at the moment.", {
    reason: "NATS_UNAVAILABLE",
  });
}
