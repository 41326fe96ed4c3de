import { open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Backoff, type Clock } from "@aimass/core";
import type { LeasedJob } from "../jobs/job-leases.ts";
import { type PostgresCheckpoints, partBytes } from "../jobs/postgres-checkpoints.ts";

/** Over about ten seconds. */
const tries = 7;

/** A checkpoint that a worker left in a file. */
export interface CheckpointFile {
  readonly file: string;
  readonly bytes: number;
}

/** Takes the checkpoints of one attempt from the worker's files into the database, one at a time; of those that came meanwhile the newest. */
export class CheckpointTransfer {
  readonly #checkpoints: PostgresCheckpoints;
  readonly #job: LeasedJob;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  #waiting: CheckpointFile | undefined;
  #running: Promise<void> | undefined;

  constructor(options: {
    checkpoints: PostgresCheckpoints;
    job: LeasedJob;
    clock: Clock;
    onError: (error: unknown) => void;
  }) {
    this.#checkpoints = options.checkpoints;
    this.#job = options.job;
    this.#clock = options.clock;
    this.#onError = options.onError;
  }

  add(checkpoint: CheckpointFile): void {
    if (this.#waiting !== undefined) void rm(this.#waiting.file, { force: true }).catch(() => {});
    this.#waiting = checkpoint;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Resolves when what came is stored or was given up. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting !== undefined) {
      const checkpoint = this.#waiting;
      this.#waiting = undefined;
      await this.#store(checkpoint);
      await rm(checkpoint.file, { force: true }).catch(() => {});
    }
  }

  /** A checkpoint that cannot be stored is worth less than the training, and one that is replaced is worth nothing. */
  async #store({ file, bytes }: CheckpointFile): Promise<void> {
    const backoff = new Backoff({ initialMs: 200, maxMs: 5000 });
    for (let left = tries; left > 0 && this.#waiting === undefined; left--) {
      try {
        await this.#checkpoints.keep(this.#job, bytes, parts(file));
        return;
      } catch (error) {
        this.#onError(error);
        if (left > 1) await this.#clock.sleep(backoff.next());
      }
    }
  }
}

/** Lays the checkpoint of an earlier attempt into a folder; undefined when there is none. */
export async function fetchCheckpoint(
  checkpoints: PostgresCheckpoints,
  jobId: string,
  directory: string,
): Promise<string | undefined> {
  const found = await checkpoints.find(jobId);
  if (found === undefined) return undefined;
  const file = join(directory, "checkpoint");
  await writeFile(file, found.parts, { mode: 0o600 });
  return file;
}

async function* parts(file: string): AsyncIterable<Uint8Array> {
  await using handle = await open(file);
  while (true) {
    const buffer = Buffer.allocUnsafe(partBytes);
    const { bytesRead } = await handle.read(buffer, 0, partBytes);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}
