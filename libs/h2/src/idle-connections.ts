import type { Clock } from "@aimass/core";
import { networkOf } from "./network-of.ts";

/** A connection on which nothing runs. */
export interface IdleConnection {
  /** Of the peer. */
  readonly address: string;
  /** Whether a caller who proved who they are came by it. */
  readonly isKnown: boolean;
  /** Ends it. */
  close(): void;
}

export interface IdleLimits {
  /** Idle connections in all. Default 4096. */
  readonly total?: number;
  /** Of one IPv4 address, or of one /64 network of IPv6. Default 512. */
  readonly perAddress?: number;
  /** Proxies bring the connections of many: the limit of one address does not hold for them. Default: none. */
  readonly isProxy?: (address: string) => boolean;
  readonly clock: Clock;
}

/** Shed in a turn: each looks at every address. */
const mostAtOnce = 64;
/** How long a connection above a limit may stay: many that come at once have something to say a moment later. */
const graceMs = 1000;

/** How many times a limit may be reached within that time. */
const graceFactor = 2;

/**
 * Bounds the connections that are open and carry nothing, those that have said nothing yet and half of a handshake included. Above a limit the one that
 * has been idle longest ends, those of strangers before those of known callers and of proxies, and those of the address that has most of them first.
 */
export class IdleConnections {
  readonly #total: number;
  readonly #perAddress: number;
  readonly #limits: IdleLimits;
  readonly #byAddress = new Map<string, AddressConnections>();
  readonly #crowded = new Set<AddressConnections>();
  #count = 0;
  #shed = 0;
  #timer: Disposable | undefined;

  constructor(limits: IdleLimits) {
    this.#limits = limits;
    this.#total = limits.total ?? 4096;
    this.#perAddress = limits.perAddress ?? 512;
  }

  /** Idle connections now. */
  get count(): number {
    return this.#count;
  }

  /** Connections that were ended for room so far. */
  get shed(): number {
    return this.#shed;
  }

  /** Nothing runs on a connection from now on. */
  add(connection: IdleConnection): void {
    const key = networkOf(connection.address);
    const isProxy = this.#limits.isProxy?.(connection.address) === true;
    let own = this.#byAddress.get(key);
    if (own === undefined) {
      own = new AddressConnections(isProxy ? Number.POSITIVE_INFINITY : this.#perAddress);
      this.#byAddress.set(key, own);
    }
    own.add(connection, isProxy || connection.isKnown);
    this.#count += 1;
    if (own.excess > 0) this.#crowded.add(own);
    if (own.count > own.limit * graceFactor) this.#shedOne(own, connection);
    if (this.#count > this.#total * graceFactor) this.#shedOne(this.#largest(), connection);
    if (this.#crowded.size > 0 || this.#count > this.#total) {
      this.#timer ??= this.#limits.clock.timer(graceMs, () => this.#trim());
    }
  }

  /** A connection is in use, or gone. */
  remove(connection: IdleConnection): void {
    const key = networkOf(connection.address);
    const own = this.#byAddress.get(key);
    if (own?.remove(connection) !== true) return;
    this.#count -= 1;
    if (own.count > 0) return;
    this.#byAddress.delete(key);
    this.#crowded.delete(own);
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #trim(): void {
    this.#timer = undefined;
    for (const own of this.#crowded) while (own.excess > 0) this.#shedOne(own);
    this.#crowded.clear();
    for (let shed = 0; shed < mostAtOnce && this.#count > this.#total; shed++) this.#shedOne(this.#largest());
    if (this.#count > this.#total) this.#timer = this.#limits.clock.timer(1, () => this.#trim());
  }

  #shedOne(own: AddressConnections, except?: IdleConnection): void {
    const oldest = own.oldest(except);
    if (oldest === undefined) return;
    this.remove(oldest);
    this.#shed += 1;
    oldest.close();
  }

  #largest(): AddressConnections {
    let largest: AddressConnections | undefined;
    for (const own of this.#byAddress.values()) {
      const more = largest === undefined ? 1 : own.strangers - largest.strangers || own.count - largest.count;
      if (more > 0) largest = own;
    }
    return largest as AddressConnections;
  }
}

/** The idle connections of one address, longest idle first. */
class AddressConnections {
  readonly limit: number;
  readonly #strangers = new Set<IdleConnection>();
  readonly #known = new Set<IdleConnection>();

  constructor(limit: number) {
    this.limit = limit;
  }

  get count(): number {
    return this.#strangers.size + this.#known.size;
  }

  get strangers(): number {
    return this.#strangers.size;
  }

  get excess(): number {
    return this.count - this.limit;
  }

  add(connection: IdleConnection, isKnown: boolean): void {
    (isKnown ? this.#known : this.#strangers).add(connection);
  }

  remove(connection: IdleConnection): boolean {
    return this.#strangers.delete(connection) || this.#known.delete(connection);
  }

  /** A newcomer gets its chance, also where all others are known. */
  oldest(except: IdleConnection | undefined): IdleConnection | undefined {
    for (const some of [this.#strangers, this.#known]) {
      for (const connection of some) if (connection !== except) return connection;
    }
    return undefined;
  }
}
