import type { ServableModel } from "@aimass/api/registry";
import type { Clock } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import { runOnChange } from "../changes.ts";
import type { ReadLibrary } from "../library/registry-library.ts";

export interface LibraryFollowerOptions {
  readonly read: ReadLibrary;
  readonly clock: Clock;
  readonly log: Logger;
  /** How often it is read when no event tells of a change. */
  readonly everyMs: number;
  /** The library was read anew. */
  readonly onRead: () => void;
}

/** Keeps the whole library at hand; the last good state stays while no registry answers. */
export class LibraryFollower {
  readonly #options: LibraryFollowerOptions;
  #models: ReadonlyMap<string, ServableModel> | undefined;
  #wake = () => {};
  #isFailing = false;

  constructor(options: LibraryFollowerOptions) {
    this.#options = options;
  }

  /** Undefined until it was read once. */
  get models(): ReadonlyMap<string, ServableModel> | undefined {
    return this.#models;
  }

  /** Reads it again now. */
  refresh(): void {
    this.#wake();
  }

  /** Reads it and resolves when that is done; a failure is logged and the last state stays. */
  async readNow(signal: AbortSignal): Promise<void> {
    try {
      this.#models = await this.#options.read(signal);
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing && !signal.aborted) {
        this.#options.log.warn("library not read; the last state stays in use", { error });
      }
      this.#isFailing = true;
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, everyMs, onRead } = this.#options;
    await runOnChange({
      clock,
      tickMs: everyMs,
      signal,
      subscribe: (wake) => {
        this.#wake = wake;
        return { [Symbol.dispose]: () => {} };
      },
      work: async () => {
        await this.readNow(signal);
        onRead();
      },
      onFailure: (error) => log.error("library follower failed", { error }),
    });
  }
}
