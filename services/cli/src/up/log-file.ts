import { closeSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";
import type { Clock } from "@aimass/core";

export interface LogFileOptions {
  readonly path: string;
  readonly clock: Clock;
  /** Told once an outage, in a sentence. */
  readonly onTrouble: (message: string) => void;
  /** A log that has grown past this is set aside as `.1`. Default 16 MiB. */
  readonly rotateAtBytes?: number;
}

/** Time until a file that took nothing is tried again, in milliseconds. */
const retryMs = 1000;

/**
 * A log that whoever writes it can do without: what the disk does not take is dropped and counted, and the file is opened again later. Writes are synchronous, so that
 * nothing piles up in memory behind a slow or full disk.
 */
export class LogFile {
  readonly #options: LogFileOptions;
  readonly #rotateAtBytes: number;
  #file: number | undefined;
  #size = 0;
  #droppedLines = 0;
  #triedAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(options: LogFileOptions) {
    this.#options = options;
    this.#rotateAtBytes = options.rotateAtBytes ?? 16 << 20;
  }

  /** Adds whole lines; never throws. */
  write(lines: Buffer | string): void {
    if (this.#isClosed) return;
    const bytes = Buffer.from(lines);
    try {
      if (this.#droppedLines > 0) this.#comeBack();
      this.#append(bytes);
    } catch (error) {
      this.#drop(bytes, error);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#release();
  }

  #append(bytes: Buffer): void {
    this.#file ??= this.#open();
    if (this.#size > this.#rotateAtBytes) {
      this.#release();
      renameSync(this.#options.path, `${this.#options.path}.1`);
      this.#file = this.#open();
    }
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at);
    this.#size += bytes.length;
  }

  #open(): number {
    const file = openSync(this.#options.path, "a", 0o600);
    this.#size = fstatSync(file).size;
    return file;
  }

  /** After an outage: says in the log how much is missing. Throws while the disk still takes nothing, or was asked just now. */
  #comeBack(): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#triedAtMs < retryMs) throw new Error("tried just now");
    this.#triedAtMs = now;
    this.#append(Buffer.from(`--- ${this.#droppedLines} lines are missing here: the disk took none ---\n`));
    this.#droppedLines = 0;
  }

  #drop(bytes: Buffer, error: unknown): void {
    if (this.#droppedLines === 0) {
      this.#triedAtMs = this.#options.clock.monotonic();
      const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
      this.#options.onTrouble(`${this.#options.path} takes no more lines (${reason}); they are dropped until it does.`);
    }
    this.#droppedLines += Math.max(1, bytes.toString("latin1").split("\n").length - 1);
    this.#release();
  }

  #release(): void {
    if (this.#file === undefined) return;
    try {
      closeSync(this.#file);
    } catch {
      // What could not be written is counted as dropped already.
    }
    this.#file = undefined;
  }
}
