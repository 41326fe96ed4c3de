/** A published message. */
export interface CarrierMessage {
  /** Publishing the same id again within the carrier's memory of ids has no effect. */
  readonly id: string;
  /** "aimass.registry.alias_moved" */
  readonly subject: string;
  readonly payload: Uint8Array;
  /** Given by the carrier alone: it was published before events were signed. */
  readonly beforeSigning?: boolean;
}

export interface ConsumeOptions {
  /** Durable name: what it has handled is remembered by the carrier. Begins with the oldest message kept. */
  readonly consumer: string;
  readonly signal: AbortSignal;
  /** Called once the carrier knows the consumer. */
  readonly onReady: () => void;
  /** One at a time and in order, over all processes that share the name. When it throws, the message comes again after a growing wait, and those behind it wait too. */
  readonly handle: (message: CarrierMessage) => Promise<void>;
  /** Told of a lost carrier and of what `handle` throws. */
  readonly onFailure: (error: unknown) => void;
}

/** What carries events from one service to the others. */
export interface EventCarrier extends AsyncDisposable {
  /** Resolves once all are kept durably, in their order; rejects when that is not sure. */
  publish(messages: readonly CarrierMessage[]): Promise<void>;
  /** Delivers at least once, through restarts of the carrier, until the signal aborts. Resolves then. */
  consume(options: ConsumeOptions): Promise<void>;
}

/** How waits grow while a handler keeps throwing or the carrier stays away. */
export const redeliveryBackoff = { initialMs: 100, multiplier: 2, maxMs: 30_000 } as const;

/** How long carriers keep messages: a consumer that is away for longer has to re-read the whole state, as it does when it starts. */
export const retentionMs = 7 * 24 * 3_600_000;
