import type { Event } from "@aimass/api/events";
import { type Clock, deadlineSignal, linkedSignal } from "@aimass/core";
import type { ServiceIdentity } from "@aimass/identity";
import type { Store } from "@aimass/store";
import { type Telemetry, withTraceparent } from "@aimass/telemetry";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Transaction } from "kysely";
import type { CarrierMessage, EventCarrier } from "./event-carrier.ts";
import type { EventKind } from "./event-subject.ts";
import { type EventInit, EventWriter } from "./event-writer.ts";
import { JetstreamCarrier } from "./jetstream-carrier.ts";
import { createEventMetrics, type EventMetrics } from "./metrics.ts";
import { PostgresCarrier } from "./postgres-carrier.ts";
import { runRelay } from "./relay.ts";
import { openMessage } from "./signed-event.ts";

export interface SubscribeOptions {
  /** Durable name, of letters, digits, "-" and "_": "registry-audit". Processes that share it share the work; what was handled stays handled over restarts. */
  readonly consumer: string;
  /** Only these payloads. Default: all. */
  readonly kinds?: readonly EventKind[] | undefined;
  readonly signal: AbortSignal;
  /**
   * Gets each event at least once, one at a time, in the order in which its source committed them. It must bear repetition. When it throws, the event comes again after a
   * growing wait (100 ms to 30 s), and those behind it wait. What the service that it claims to come from did not sign never gets here.
   */
  readonly handle: (event: Event) => Promise<void>;
}

/** Tells what changed, and hears of it. */
export interface EventBus extends AsyncDisposable {
  /** Writes the event in the caller's transaction; it is published once that commits, and lost with it. Returns it with id, time, source and trace filled in. */
  publishFrom<Database>(tx: Transaction<Database>, event: EventInit): Promise<Event>;
  /** Resolves once the carrier knows the consumer (it waits for a carrier that is away), or when the signal aborts. Delivery goes on in the background until then. */
  subscribe(options: SubscribeOptions): Promise<void>;
}

export interface EventBusOptions<Database> {
  /** The process: its role is the source of its events, and its key signs them. */
  readonly identity: ServiceIdentity;
  /** Whose outbox is used. */
  readonly store: Store<Database>;
  /** Set: JetStream. Empty or missing: the PostgreSQL carrier. */
  readonly natsUrl?: string | undefined;
  readonly databaseUrl: string;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

const plainConsumer = /^[A-Za-z0-9_-]{1,64}$/;
const finishMs = 5_000;

/** Opens the bus and starts the relay of the store's outbox. Does not wait for NATS. */
export async function openEventBus<Database>(options: EventBusOptions<Database>): Promise<EventBus> {
  const { identity, natsUrl, databaseUrl, clock, telemetry } = options;
  const log = telemetry.log.scope("events");
  const onError = (error: unknown) => log.debug("an event connection broke", { error });
  const carrier =
    natsUrl === undefined || natsUrl === ""
      ? await PostgresCarrier.open({ databaseUrl, clock, onError })
      : new JetstreamCarrier({ natsUrl, role: identity.role, clock });
  return new CarriedEventBus(options, carrier);
}

class CarriedEventBus<StoreDatabase> implements EventBus {
  readonly #options: EventBusOptions<StoreDatabase>;
  readonly #carrier: EventCarrier;
  readonly #metrics: EventMetrics;
  readonly #writer: EventWriter;
  readonly #end = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(options: EventBusOptions<StoreDatabase>, carrier: EventCarrier) {
    this.#options = options;
    this.#carrier = carrier;
    this.#metrics = createEventMetrics(options.telemetry.metrics);
    this.#writer = new EventWriter(options.identity.role, options.clock);
    this.#run(this.#relay());
  }

  publishFrom<Database>(tx: Transaction<Database>, event: EventInit): Promise<Event> {
    return this.#writer.publishFrom(tx, event);
  }

  async subscribe(options: SubscribeOptions): Promise<void> {
    const { consumer } = options;
    if (!plainConsumer.test(consumer)) throw new RangeError(`"${consumer}" is no plain consumer name.`);
    const ends = linkedSignal(options.signal, this.#end.signal);
    const ready = Promise.withResolvers<void>();
    const consuming = this.#carrier.consume({
      consumer,
      signal: ends.signal,
      onReady: ready.resolve,
      handle: (message) => this.#handle(message, options),
      onFailure: (error) => this.#noteFailure(consumer, error),
    });
    this.#run(
      consuming.finally(() => {
        ends[Symbol.dispose]();
        ready.resolve();
      }),
    );
    await ready.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    using late = deadlineSignal(finishMs);
    const timedOut = new Promise<void>((resolve) => late.signal.addEventListener("abort", () => resolve()));
    await Promise.race([Promise.allSettled(this.#running), timedOut]);
    await this.#carrier[Symbol.asyncDispose]();
  }

  #run(task: Promise<void>): void {
    const running = task.finally(() => this.#running.delete(running));
    running.catch(() => {});
    this.#running.add(running);
  }

  #relay(): Promise<void> {
    const { store, clock, telemetry, identity } = this.#options;
    const log = telemetry.log.scope("events.relay");
    return runRelay({
      store,
      carrier: this.#carrier,
      identity,
      clock,
      signal: this.#end.signal,
      onPublished: (count) => this.#metrics.published.add(count, { source: identity.role }),
      onFailure: (error) => log.warn("events wait in the outbox: the carrier or the database is away", { error }),
    });
  }

  async #handle(message: CarrierMessage, options: SubscribeOptions): Promise<void> {
    const event = this.#open(message, options.consumer);
    if (event === undefined || !isWanted(event, options.kinds)) return;
    const { tracer } = this.#options.telemetry;
    const labels = { consumer: options.consumer };
    using span = tracer.start("events.handle", {
      parent: event.traceparent,
      kind: "consumer",
      attributes: { "messaging.message.id": event.id, "messaging.destination.name": message.subject },
    });
    try {
      await withTraceparent(span.traceparent, () => options.handle(event));
    } catch (error) {
      span.fail(error);
      throw error;
    }
    this.#metrics.handled.add(1, labels);
    if (event.occurredAt !== undefined) {
      this.#metrics.delay.record(Math.max(0, this.#options.clock.now() - timestampMs(event.occurredAt)) / 1000, labels);
    }
  }

  /** A message that is no event of its source never will be one: it is counted, told of and passed over. */
  #open(message: CarrierMessage, consumer: string): Event | undefined {
    const opened = openMessage(this.#options.identity, message);
    if (opened.kind === "event") return opened.event;
    const { reason } = opened;
    this.#metrics.refused.add(1, { consumer, reason });
    const { id, subject } = message;
    const log = this.#options.telemetry.log.scope("events");
    log.error("passed over a message that is not from the service it names", { consumer, reason, id, subject });
    return undefined;
  }

  #noteFailure(consumer: string, error: unknown): void {
    this.#metrics.failed.add(1, { consumer });
    this.#options.telemetry.log.scope("events.consume").warn("an event comes again later", { consumer, error });
  }
}

function isWanted(event: Event, kinds: readonly EventKind[] | undefined): boolean {
  return kinds === undefined || (event.payload.case !== undefined && kinds.includes(event.payload.case));
}
