import { AimassError } from "@aimass/core";
import { mebibytes } from "../profiling/batch-search.ts";

/** Who holds memory. */
export interface MemoryHolder {
  /** Its name in errors. */
  readonly key: string;
  /** Whether it gives its memory up when others need it. */
  readonly onDemand: boolean;
}

/**
 * Memory of a replica in bytes: what the bare process took when it started, and what each loaded version takes. Loads are refused beyond the limit, because a process
 * past its limit is killed with everything it serves.
 */
export class MemoryBudget {
  readonly limitBytes: number;
  readonly #baseBytes: number;
  readonly #held = new Map<MemoryHolder, number>();

  constructor(options: { limitBytes: number; baseBytes: number }) {
    this.limitBytes = options.limitBytes;
    this.#baseBytes = options.baseBytes;
  }

  get usedBytes(): number {
    let used = this.#baseBytes;
    for (const bytes of this.#held.values()) used += bytes;
    return used;
  }

  /** The part of `usedBytes` that is held on demand. */
  get onDemandBytes(): number {
    let used = 0;
    for (const [holder, bytes] of this.#held) if (holder.onDemand) used += bytes;
    return used;
  }

  /** What `holder` could have if everyone on demand gave way, with what it has. */
  availableFor(holder: MemoryHolder): number {
    let available = this.#freeFor(holder);
    for (const [other, bytes] of this.#held) if (other !== holder && other.onDemand) available += bytes;
    return Math.max(0, available);
  }

  /** Whether `holder` could have so many bytes. */
  fits(holder: MemoryHolder, bytes: number): boolean {
    return bytes <= this.#freeFor(holder);
  }

  /** Sets memory aside for `holder`. Throws RESOURCE_EXHAUSTED when it does not fit. */
  reserve(holder: MemoryHolder, bytes: number): void {
    const free = this.#freeFor(holder);
    if (bytes > free) {
      throw new AimassError(
        "RESOURCE_EXHAUSTED",
        `${holder.key} needs ${mebibytes(bytes)} of memory, but ${mebibytes(Math.max(0, free))} of ${mebibytes(this.limitBytes)} are free on this replica.`,
        { reason: "NO_MEMORY", remedy: "Raise AIMASS_REPLICA_MEMORY_BYTES, or serve fewer models here." },
      );
    }
    this.#held.set(holder, bytes);
  }

  /** Notes what `holder` really takes, limit or not: it is in memory already. */
  settle(holder: MemoryHolder, bytes: number): void {
    this.#held.set(holder, bytes);
  }

  release(holder: MemoryHolder): void {
    this.#held.delete(holder);
  }

  #freeFor(holder: MemoryHolder): number {
    return this.limitBytes - this.usedBytes + (this.#held.get(holder) ?? 0);
  }
}
