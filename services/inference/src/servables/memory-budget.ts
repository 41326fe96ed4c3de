import { AimassError } from "@aimass/core";

/**
 * Memory of a replica in bytes: what the bare process took when it started, and what each loaded version takes. Loads are refused beyond the limit, because a process
 * past its limit is killed with everything it serves.
 */
export class MemoryBudget {
  readonly limitBytes: number;
  readonly #baseBytes: number;
  readonly #held = new Map<string, number>();

  constructor(options: { limitBytes: number; baseBytes: number }) {
    this.limitBytes = options.limitBytes;
    this.#baseBytes = options.baseBytes;
  }

  get usedBytes(): number {
    let used = this.#baseBytes;
    for (const bytes of this.#held.values()) used += bytes;
    return used;
  }

  /** Sets memory aside for `key`. Throws RESOURCE_EXHAUSTED when it does not fit. */
  reserve(key: string, bytes: number): void {
    const others = this.usedBytes - (this.#held.get(key) ?? 0);
    if (others + bytes > this.limitBytes) {
      const free = Math.max(0, this.limitBytes - others);
      throw new AimassError(
        "RESOURCE_EXHAUSTED",
        `${key} needs ${mebibytes(bytes)} of memory, but ${mebibytes(free)} of ${mebibytes(this.limitBytes)} are free on this replica.`,
        { reason: "NO_MEMORY", remedy: "Raise AIMASS_REPLICA_MEMORY_BYTES, or serve fewer models here." },
      );
    }
    this.#held.set(key, bytes);
  }

  /** Notes what `key` really takes, limit or not: it is in memory already. */
  settle(key: string, bytes: number): void {
    this.#held.set(key, bytes);
  }

  release(key: string): void {
    this.#held.delete(key);
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
