import type { Clock } from "./clock.ts";

export interface NewestSaverOptions {
  /** Writes what is newest when it is called. */
  readonly save: () => Promise<void>;
  /** Least time from the start of one write to the start of the next. */
  readonly gapMs: number;
  readonly clock: Clock;
  /** When it aborts, what is still to be written is written at once. */
  readonly signal: AbortSignal;
  readonly onFailure: (error: unknown) => void;
}

/** Writes a state that changes often: one write at a time, never sooner than the gap allows, and the last change is always written. */
export class NewestSaver {
  readonly #options: NewestSaverOptions;
  #savedAt = Number.NEGATIVE_INFINITY;
  #isChanged = false;
  #writing: Promise<void> | undefined;

  constructor(options: NewestSaverOptions) {
    this.#options = options;
  }

  /** Milliseconds since the last write began; Infinity before the first. */
  ageMs(): number {
    return this.#options.clock.monotonic() - this.#savedAt;
  }

  /** Says that there is something new to write. */
  changed(): void {
    this.#isChanged = true;
    this.#writing ??= this.#write();
  }

  /** Resolves when nothing is left to write. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    const { save, gapMs, clock, signal, onFailure } = this.#options;
    while (this.#isChanged) {
      const waitMs = gapMs - this.ageMs();
      if (waitMs > 0) await clock.sleep(waitMs, signal).catch(() => {});
      this.#isChanged = false;
      this.#savedAt = clock.monotonic();
      await save().catch(onFailure);
    }
    this.#writing = undefined;
  }
}
