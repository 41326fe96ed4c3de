/** Runs a slot may have on its list at a time and still take back; more than it is ever given. */
const cells = 256;

/** What a cell says of its run. */
const waiting = 0;
const begun = 1;
const withdrawn = 2;

/**
 * Which runs of a slot have begun, in memory that both threads share: the main thread takes back what has not begun, and the slot's thread begins what was not
 * taken back. Whoever is first decides.
 */
export class RunTickets {
  readonly memory: SharedArrayBuffer;
  readonly #states: Int32Array;
  readonly #free: number[];

  /** Without `memory` a new table; with it, the other thread's. */
  constructor(memory = new SharedArrayBuffer(cells * Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#states = new Int32Array(memory);
    this.#free = Array.from({ length: this.#states.length }, (_, i) => i);
  }

  /** A ticket for a run that waits; -1 when there is none left: such a run is never taken back. */
  take(): number {
    const ticket = this.#free.pop() ?? -1;
    if (ticket >= 0) Atomics.store(this.#states, ticket, waiting);
    return ticket;
  }

  /** Gives a ticket back when its run is over. */
  giveBack(ticket: number): void {
    if (ticket >= 0) this.#free.push(ticket);
  }

  /** Begins a run; false when it was taken back. */
  begin(ticket: number): boolean {
    return ticket < 0 || Atomics.compareExchange(this.#states, ticket, waiting, begun) === waiting;
  }

  /** Takes a run back; false when it has begun. */
  withdraw(ticket: number): boolean {
    return ticket >= 0 && Atomics.compareExchange(this.#states, ticket, waiting, withdrawn) === waiting;
  }
}
