import { Backoff, type Clock, keepTrying } from "@aimass/core";
import type { JsMsg, NatsConnection } from "nats";
import { type CarrierMessage, type ConsumeOptions, type EventCarrier, redeliveryBackoff } from "./event-carrier.ts";
import { ackWaitMs, ensureConsumer, ensureStream, streamName } from "./jetstream-setup.ts";
import { NatsLink } from "./nats-link.ts";

const publishTimeoutMs = 5_000;
/** The server says this often that it is there; two misses make the client ask again. nats-server wants at least half a second. */
const heartbeatMs = 1_000;
const pullExpiresMs = 30_000;

export interface JetstreamCarrierOptions {
  readonly natsUrl: string;
  /** Of the process: "registry". The server shows it in its list of clients, and the answers to this one's questions come below `_INBOX.<role>`. */
  readonly role: string;
  readonly clock: Clock;
}

/** Carries events in a JetStream stream. Connects on first use and reconnects for ever. */
export class JetstreamCarrier implements EventCarrier {
  readonly #clock: Clock;
  readonly #link: NatsLink;

  constructor(options: JetstreamCarrierOptions) {
    this.#clock = options.clock;
    const prepare = async (connection: NatsConnection) => ensureStream(await connection.jetstreamManager());
    this.#link = new NatsLink({ url: options.natsUrl, role: options.role, prepare });
  }

  async publish(messages: readonly CarrierMessage[]): Promise<void> {
    for (const { id, subject, payload } of messages) {
      await this.#link.use((connection) =>
        connection
          .jetstream({ timeout: publishTimeoutMs })
          .publish(subject, payload, { msgID: id, expect: { streamName } }),
      );
    }
  }

  async consume(options: ConsumeOptions): Promise<void> {
    const { signal, onFailure } = options;
    await keepTrying((healthy) => this.#pull(options, healthy), {
      clock: this.#clock,
      signal,
      backoff: { ...redeliveryBackoff, maxMs: 2_000 },
      onFailure,
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#link[Symbol.asyncDispose]();
  }

  /** Takes messages one by one until the signal aborts or the consumer is lost. */
  async #pull(options: ConsumeOptions, healthy: () => void): Promise<void> {
    const messages = await this.#link.use(async (connection) => {
      await ensureConsumer(await connection.jetstreamManager(), options.consumer);
      const consumer = await connection.jetstream().consumers.get(streamName, options.consumer);
      return consumer.consume({
        max_messages: 1,
        idle_heartbeat: heartbeatMs,
        expires: pullExpiresMs,
        abort_on_missing_resource: true,
      });
    });
    const stop = () => messages.stop();
    options.signal.addEventListener("abort", stop, { once: true });
    try {
      if (options.signal.aborted) return;
      options.onReady();
      healthy();
      for await (const message of messages) await this.#deliver(message, options);
      if (!options.signal.aborted) throw new Error("The consumer's pull ended.");
    } finally {
      options.signal.removeEventListener("abort", stop);
      messages.stop();
    }
  }

  async #deliver(message: JsMsg, options: ConsumeOptions): Promise<void> {
    if (options.signal.aborted) return message.nak();
    using _working = this.#keepWorking(message);
    try {
      const id = message.headers?.get("Nats-Msg-Id") ?? `${message.info.stream}:${message.seq}`;
      await options.handle({ id, subject: message.subject, payload: message.data });
      message.ack();
    } catch (error) {
      message.nak(waitBefore(message.info.deliveryCount));
      if (!options.signal.aborted) options.onFailure(error);
    }
  }

  /** Tells the server that a long handler still works, so that it does not redeliver meanwhile. */
  #keepWorking(message: JsMsg): Disposable {
    const clock = this.#clock;
    const again = () => {
      message.working();
      timer = clock.timer(ackWaitMs / 3, again);
    };
    let timer = clock.timer(ackWaitMs / 3, again);
    return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
  }
}

/** Milliseconds before a message that was delivered `count` times comes again. */
function waitBefore(count: number): number {
  const backoff = new Backoff(redeliveryBackoff);
  for (let delivery = 1; delivery < Math.min(count, 10); delivery++) backoff.next();
  return Math.round(backoff.next());
}
