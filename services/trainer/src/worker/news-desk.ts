import type { Clock } from "@aimass/core";
import type { JobBatch } from "../jobs/job-batch.ts";
import { RemainingTime } from "./remaining-time.ts";
import type { JobNews, WorkerMessage } from "./worker-message.ts";

/** Lines and points in one batch, so that its transaction stays short. */
const mostNews = 1000;

type Told = Exclude<WorkerMessage, { kind: "succeeded" | "failed" | "checkpoint" }>;

/** Collects what a worker tells into batches: of progress and reports the newest, of lines, points and warnings all. */
export class NewsDesk {
  readonly #clock: Clock;
  readonly #remaining = new RemainingTime();
  #number = 0;
  #started = false;
  #progress: JobBatch["progress"];
  #report: Uint8Array | undefined;
  #warnings: string[] = [];
  #news: JobNews[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isEmpty(): boolean {
    const isQuiet = !this.#started && this.#progress === undefined && this.#report === undefined;
    return isQuiet && this.#warnings.length === 0 && this.#news.length === 0;
  }

  add(message: Told): void {
    switch (message.kind) {
      case "started":
        this.#started = true;
        return;
      case "progress": {
        const { fraction, step = this.#progress?.step } = message;
        const remainingMs = this.#remaining.add(fraction, this.#clock.monotonic());
        this.#progress = { fraction, doing: plain(message.doing), step, remainingMs };
        return;
      }
      case "warning":
        this.#warnings.push(plain(message.sentence));
        return;
      case "report":
        this.#report = message.report;
        return;
      case "log":
        this.#news.push({ kind: "log", line: plain(message.line) });
        return;
      case "metric":
        this.#news.push(message);
    }
  }

  /** What is to be stored next; undefined when there is nothing. */
  next(): JobBatch | undefined {
    if (this.isEmpty) return undefined;
    const batch = {
      number: ++this.#number,
      started: this.#started,
      progress: this.#progress,
      warnings: this.#warnings,
      news: this.#news.splice(0, mostNews),
      report: this.#report,
    };
    this.#started = false;
    this.#progress = undefined;
    this.#report = undefined;
    this.#warnings = [];
    return batch;
  }
}

/** PostgreSQL keeps no NUL in a text. */
export function plain(text: string): string {
  return text.replaceAll("\0", "\uFFFD");
}
