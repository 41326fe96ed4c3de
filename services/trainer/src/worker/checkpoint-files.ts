import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "@aimass/core";
import type { WorkerMessage } from "./worker-message.ts";

/** Larger checkpoints are left out. */
export const checkpointLimitBytes = 64 * 1024 * 1024;

/** At most so many bytes a second go into checkpoints, and at most one a second. */
const bytesPerSecond = 8 * 1024 * 1024;
const leastIntervalMs = 1000;

/** Hands checkpoints to the trainer as whole files: what is large would keep the channel busy that tells of everything else. */
export class CheckpointFiles {
  readonly #directory: string;
  readonly #send: (message: WorkerMessage) => void;
  readonly #clock: Clock;
  readonly #log: (line: string) => void;
  #number = 0;
  #nextAt = Number.NEGATIVE_INFINITY;
  #held: Disposable | undefined;
  #isTooLargeTold = false;

  constructor(options: {
    directory: string;
    send: (message: WorkerMessage) => void;
    clock: Clock;
    log: (line: string) => void;
  }) {
    this.#directory = options.directory;
    this.#send = options.send;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Writes a checkpoint, or holds it back until the next may be written. */
  keep(state: Uint8Array): void {
    this.#held?.[Symbol.dispose]();
    this.#held = undefined;
    const waitMs = this.#nextAt - this.#clock.monotonic();
    if (state.length > checkpointLimitBytes) this.#refuse(state.length);
    else if (waitMs <= 0) this.#write(state);
    else {
      // A copy: whoever trains may go on to change its own.
      const bytes = Buffer.from(state);
      this.#held = this.#clock.timer(waitMs, () => this.keep(bytes));
    }
  }

  /** Going on without a checkpoint costs time if the worker dies; ending for want of one would cost it at once. */
  #write(state: Uint8Array): void {
    this.#nextAt = this.#clock.monotonic() + Math.max(leastIntervalMs, (state.length / bytesPerSecond) * 1000);
    const file = join(this.#directory, `checkpoint-${++this.#number}`);
    try {
      writeFileSync(`${file}.part`, state, { mode: 0o600 });
      renameSync(`${file}.part`, file);
      this.#send({ kind: "checkpoint", file, bytes: state.length });
    } catch (error) {
      this.#log(`A checkpoint could not be written (${(error as NodeJS.ErrnoException).code ?? "unknown"}).`);
    }
  }

  #refuse(bytes: number): void {
    if (!this.#isTooLargeTold) this.#log(`A checkpoint of ${bytes} bytes is left out: it is larger than 64 MiB.`);
    this.#isTooLargeTold = true;
  }
}
