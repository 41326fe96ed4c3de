import { type Clock, keepTrying } from "@aimass/core";
import type { ServiceIdentity } from "@aimass/identity";
import { drainOutbox, type OutboxEntry, outboxChannel, type Store } from "@aimass/store";
import type { EventCarrier } from "./event-carrier.ts";
import { signMessage } from "./signed-event.ts";

/** Wake-ups come by NOTIFY; this is for the one that gets lost, and for what a relay that died left behind. */
const pollMs = 5_000;
const batchSize = 100;

export interface RelayOptions<Database> {
  readonly store: Store<Database>;
  readonly carrier: EventCarrier;
  /** Signs what is published. */
  readonly identity: ServiceIdentity;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onPublished: (count: number) => void;
  readonly onFailure: (error: unknown) => void;
}

/** Carries the outbox of a schema over to the carrier, in order, until the signal aborts. Runs in every process; one at a time does the work. */
export async function runRelay<Database>(options: RelayOptions<Database>): Promise<void> {
  const { store, clock, signal, onFailure } = options;
  const bell = new Bell();
  const listening = store.listen(outboxChannel(store.schema), () => bell.ring());
  // What was committed before we listened told nobody.
  listening.then(() => bell.ring()).catch(() => {});
  try {
    await keepTrying((healthy) => relayTurns(options, bell, healthy), {
      clock,
      signal,
      backoff: { initialMs: 50, maxMs: 500 },
      onFailure,
    });
  } finally {
    listening.then((handle) => handle[Symbol.dispose]()).catch(() => {});
  }
}

async function relayTurns<Database>(options: RelayOptions<Database>, bell: Bell, healthy: () => void): Promise<void> {
  const { store, carrier, identity, clock, signal, onPublished } = options;
  const publish = (entries: readonly OutboxEntry[]) =>
    carrier.publish(entries.map((entry) => signMessage(identity, entry)));
  while (!signal.aborted) {
    bell.muffle();
    const result = await drainOutbox(store, publish, batchSize);
    healthy();
    const count = result.kind === "drained" ? result.count : 0;
    if (count > 0) onPublished(count);
    if (count < batchSize) await bell.wait(clock, pollMs, signal);
  }
}

/** Remembers a ring until it is muffled; a wait after a ring returns at once. */
class Bell {
  #rung = false;
  #waiter: AbortController | undefined;

  ring(): void {
    this.#rung = true;
    this.#waiter?.abort();
  }

  muffle(): void {
    this.#rung = false;
  }

  async wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    if (this.#rung || signal.aborted) return;
    this.#waiter = new AbortController();
    const onAbort = () => this.#waiter?.abort();
    signal.addEventListener("abort", onAbort, { once: true });
    await clock.sleep(ms, this.#waiter.signal).catch(() => {});
    signal.removeEventListener("abort", onAbort);
    this.#waiter = undefined;
  }
}
