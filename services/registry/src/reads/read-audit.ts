import type { Clock } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import type { Reader } from "../reader.ts";

/** Somebody read data, or was refused it. */
export interface DataRead {
  readonly principal: string;
  /** What it was read by: "default.fraud", or the project it was uploaded to; refused artifacts, by their digest alone. */
  readonly resource: string;
  readonly sha256: string;
  /** Rows of a dataset, not its file. */
  readonly preview: boolean;
  readonly allowed: boolean;
}

/** Writes reads down, all of them or none. */
export type WriteReads = (reads: readonly DataRead[]) => Promise<void>;

export interface ReadAuditOptions {
  readonly write: WriteReads;
  readonly clock: Clock;
  /** A read is told once within this time, in milliseconds, however often it is repeated; 0: none is told. */
  readonly windowMs: number;
  /** That many were not written. */
  readonly onLost: (count: number) => void;
  readonly log: Logger;
}

/** Reads that wait to be written: more are not kept. */
const mostWaiting = 1000;
const batchSize = 100;
/** Reads that are remembered: beyond, the oldest may be told again within its window. */
const mostRemembered = 100_000;

/**
 * Tells the audit ledger who read which data. Nobody's read waits for it or fails with it: what cannot be written is counted and in the log, and told at the
 * next such read.
 */
export class ReadAudit {
  readonly #options: ReadAuditOptions;
  /** When each was told last, by the monotonic clock, oldest first. */
  readonly #told = new Map<string, number>();
  #waiting: DataRead[] = [];
  #writing: Promise<void> | undefined;
  #isFailing = false;

  constructor(options: ReadAuditOptions) {
    this.#options = options;
  }

  /** What services of the mesh read in their own name is not told: they read all the time, and for everybody. */
  note({ principal, isService }: Pick<Reader, "principal" | "isService">, what: Omit<DataRead, "principal">): void {
    const { windowMs, clock } = this.#options;
    if (windowMs === 0 || isService) return;
    const read = { principal, ...what };
    const now = clock.monotonic();
    this.#forgetBefore(now - windowMs);
    const key = keyOf(read);
    if (this.#told.has(key)) return;
    if (this.#waiting.length >= mostWaiting) {
      this.#lose([read], "too many wait");
      return;
    }
    this.#told.set(key, now);
    this.#waiting.push(read);
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  #forgetBefore(time: number): void {
    for (const [key, at] of this.#told) {
      if (at > time && this.#told.size < mostRemembered) return;
      this.#told.delete(key);
    }
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, batchSize);
      try {
        await this.#options.write(batch);
        this.#isFailing = false;
      } catch (error) {
        for (const read of batch) this.#told.delete(keyOf(read));
        this.#lose(batch, error);
      }
      this.#waiting = this.#waiting.slice(batch.length);
    }
    // In the turn in which nothing waited: what comes after begins anew.
    this.#writing = undefined;
  }

  /** An outage is one line in a log. */
  #lose(reads: readonly DataRead[], error: unknown): void {
    this.#options.onLost(reads.length);
    if (!this.#isFailing) this.#options.log.error("reads of data were not written to the audit ledger", { error });
    this.#isFailing = true;
  }
}

function keyOf({ principal, resource, sha256, preview, allowed }: DataRead): string {
  return JSON.stringify([principal, resource, sha256, preview, allowed]);
}
