import { AimassError, type Clock, keepTrying } from "@aimass/core";
import type pg from "pg";
import { openSession } from "./pool.ts";

type OnNotify = (payload: string) => void;

const plainChannel = /^[a-z_][a-z0-9_.]{0,62}$/;
/** A silent connection is asked for a sign of life this often. */
const checkMs = 15_000;
/** A statement of ours that takes longer means that the connection is dead. */
const answerMs = 10_000;

export interface ListenerOptions {
  readonly url: string;
  readonly schema: string;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

/** One connection that listens on any number of channels and comes back after it broke. Connects on first use. */
export class Listener implements AsyncDisposable {
  readonly #options: ListenerOptions;
  readonly #channels = new Map<string, Set<OnNotify>>();
  readonly #end = new AbortController();
  #client: pg.Client | undefined;
  #running: Promise<void> | undefined;
  #waiting: (() => void)[] = [];
  #connectedBefore = false;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /** Calls back for each notification; with an empty payload after the connection was lost, because some may have been missed. */
  async listen(channel: string, onNotify: OnNotify): Promise<Disposable> {
    if (!plainChannel.test(channel)) throw new RangeError(`"${channel}" is no plain channel name.`);
    if (this.#end.signal.aborted) throw closed();
    const callbacks = this.#channels.get(channel) ?? new Set();
    this.#channels.set(channel, callbacks);
    callbacks.add(onNotify);
    this.#running ??= this.#run();
    await this.#listening(channel);
    return { [Symbol.dispose]: () => this.#unlisten(channel, onNotify) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#client?.end().catch(() => {});
    await this.#running;
    this.#wake();
  }

  async #listening(channel: string): Promise<void> {
    while (true) {
      if (this.#end.signal.aborted) throw closed();
      const client = this.#client;
      if (client !== undefined) {
        const done = await this.#ask(client, `listen "${channel}"`)
          .then(() => true)
          .catch(() => false);
        if (done) return;
      }
      if (this.#client === client) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #unlisten(channel: string, onNotify: OnNotify): void {
    const callbacks = this.#channels.get(channel);
    callbacks?.delete(onNotify);
    if (callbacks?.size !== 0) return;
    this.#channels.delete(channel);
    if (this.#client !== undefined) this.#ask(this.#client, `unlisten "${channel}"`).catch(() => {});
  }

  #run(): Promise<void> {
    const { clock, onError } = this.#options;
    return keepTrying((healthy) => this.#connection(healthy), {
      clock,
      signal: this.#end.signal,
      backoff: { initialMs: 50, maxMs: 2000 },
      onFailure: onError,
    });
  }

  /** One life of the connection; ends by throwing. */
  async #connection(healthy: () => void): Promise<void> {
    const client = await openSession(this.#options.url, this.#options.schema, answerMs);
    this.#queue = Promise.resolve();
    const broken = new Promise<never>((_, reject) => {
      client.on("error", reject);
      client.on("end", () => reject(new Error("The listening connection ended.")));
    });
    broken.catch(() => {});
    client.on("notification", ({ channel, payload }) => this.#deliver(channel, payload ?? ""));
    try {
      for (const channel of this.#channels.keys()) await this.#ask(client, `listen "${channel}"`);
      this.#client = client;
      healthy();
      this.#wake();
      if (this.#connectedBefore) for (const channel of this.#channels.keys()) this.#deliver(channel, "");
      this.#connectedBefore = true;
      await this.#check(client, broken);
    } finally {
      this.#client = undefined;
      client.end().catch(() => {});
    }
  }

  async #check(client: pg.Client, broken: Promise<never>): Promise<never> {
    while (true) {
      await Promise.race([this.#options.clock.sleep(checkMs, this.#end.signal), broken]);
      await Promise.race([this.#ask(client, "select 1"), broken]);
    }
  }

  /** One statement at a time: a connection does not take a second one while the first runs. */
  #ask(client: pg.Client, statement: string): Promise<unknown> {
    const answer = this.#queue.then(() => client.query(statement));
    this.#queue = answer.catch(() => {});
    return answer;
  }

  #deliver(channel: string, payload: string): void {
    for (const onNotify of this.#channels.get(channel) ?? []) {
      try {
        onNotify(payload);
      } catch (error) {
        this.#options.onError(error);
      }
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

function closed(): AimassError {
  return new AimassError("UNAVAILABLE", "The store is closed.", { reason: "STORE_CLOSED" });
}
