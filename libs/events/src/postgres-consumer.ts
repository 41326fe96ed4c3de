import { abortError, type Clock } from "@aimass/core";
import { openSession } from "@aimass/store";
import type { CarrierMessage, ConsumeOptions } from "./event-carrier.ts";

type Session = Awaited<ReturnType<typeof openSession>>;

/** The channel that wakes consumers. */
export const eventChannel = "events_event";
const batchSize = 50;
/** Wake-ups come by NOTIFY; this is for the one that gets lost. */
const pollMs = 5_000;
const takeOverPollMs = 250;

interface RunOptions extends ConsumeOptions {
  readonly databaseUrl: string;
  readonly clock: Clock;
  /** Called after each message that was handled. */
  readonly healthy: () => void;
}

/**
 * One session of a consumer. An advisory lock of the session lets one process at a time hold the name; when that process dies or its handler throws, the session ends and
 * another takes over. The cursor moves on the same session, after each message.
 */
export class PostgresConsumer {
  readonly #options: RunOptions;
  readonly #session: Session;
  readonly #broken: Promise<never>;
  #wake: () => void = () => {};
  #woken = false;

  /** Runs until the signal aborts, the session breaks or the handler throws; rejects with the reason. */
  static async run(options: RunOptions): Promise<void> {
    const session = await openSession(options.databaseUrl, "events");
    const consumer = new PostgresConsumer(options, session);
    try {
      await consumer.#prepare();
      await consumer.#takeOver();
      while (true) await consumer.#turn();
    } finally {
      session.end().catch(() => {});
    }
  }

  private constructor(options: RunOptions, session: Session) {
    this.#options = options;
    this.#session = session;
    this.#broken = new Promise((_, reject) => {
      session.on("error", reject);
      session.on("end", () => reject(new Error("The consumer's session ended.")));
    });
    this.#broken.catch(() => {});
    session.on("notification", () => {
      this.#woken = true;
      this.#wake();
    });
  }

  async #prepare(): Promise<void> {
    const { consumer, onReady } = this.#options;
    await this.#session.query(`listen ${eventChannel}`);
    await this.#session.query("insert into consumer (name, position) values ($1, 0) on conflict do nothing", [
      consumer,
    ]);
    onReady();
  }

  async #takeOver(): Promise<void> {
    const { consumer, clock, signal } = this.#options;
    const ask = "select pg_try_advisory_lock(hashtextextended($1, 0)) as held";
    while (true) {
      const { rows } = await this.#session.query<{ held: boolean }>(ask, [`aimass.consumer.${consumer}`]);
      if (rows[0]?.held === true) return;
      await Promise.race([clock.sleep(takeOverPollMs, signal), this.#broken]);
    }
  }

  async #turn(): Promise<void> {
    this.#woken = false;
    const messages = await this.#read();
    for (const message of messages) {
      await this.#options.handle(message);
      await this.#session.query("update consumer set position = $2 where name = $1", [
        this.#options.consumer,
        message.position,
      ]);
      this.#options.healthy();
      if (this.#options.signal.aborted) throw abortError(this.#options.signal);
    }
    if (messages.length < batchSize) await this.#rest();
  }

  async #read(): Promise<(CarrierMessage & { position: string })[]> {
    const { rows } = await this.#session.query<CarrierMessage & { position: string }>(
      `select position, id, subject, payload,
         position <= (select max(position) from unsigned_until) as "beforeSigning" from event
       where position > (select position from consumer where name = $1)
       order by position limit ${batchSize}`,
      [this.#options.consumer],
    );
    return rows;
  }

  async #rest(): Promise<void> {
    const { clock, signal } = this.#options;
    if (this.#woken) return;
    const ended = new AbortController();
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const either = AbortSignal.any([signal, ended.signal]);
    try {
      await Promise.race([woken, this.#broken, clock.sleep(pollMs, either).catch(() => {})]);
    } finally {
      ended.abort();
    }
    if (signal.aborted) throw abortError(signal);
  }
}
