import type { ProfiledRun } from "./model-profile.ts";

/** What runs may take. */
export interface BatchLimits {
  /** Rows that are wanted at most. */
  readonly maxRows: number;
  /** A single run may take so long, in milliseconds. */
  readonly runLimitMs: number;
  /** Memory that is left for this version, in bytes. */
  readonly availableBytes: number;
  /** What the model takes before it runs, in bytes. */
  readonly openBytes: number;
}

/** A batch may take this share of the run limit, and what it takes beyond a single row this share of the memory left. */
export const batchShare = 4;

/** Runs that are larger than one row take no more than this share of the run limit altogether. */
const searchShare = 2;

/** Where the largest batch will take no more than this, the sizes between are not tried. */
const trifleMicros = 50_000;
const trifleBytes = 256 * 2 ** 20;

/** What may follow: another size to run, or the end with its reason ("" when nothing larger is wanted). */
export type NextSize = { readonly rows: number } | { readonly done: string };

/**
 * Looks for the largest batch that a version should get: 1, 2, 4 … rows, each foretold from those before it, and between the largest that ran well and the smallest that
 * did not. It is told of every run.
 */
export class BatchSearch {
  readonly #limits: BatchLimits;
  readonly #runs: ProfiledRun[] = [];
  #tooLarge = Number.POSITIVE_INFINITY;
  #why = "";

  constructor(limits: BatchLimits) {
    this.#limits = limits;
  }

  /** Sizes that ran well, rising. */
  get runs(): readonly ProfiledRun[] {
    return this.#runs;
  }

  /** A size that ran; one that took more than its share is not kept, but for a single row. */
  ran(run: ProfiledRun): void {
    const excess = run.rows === 1 ? undefined : this.#excess(run, "took");
    if (excess === undefined) this.#runs.push(run);
    else this.#refuse(run.rows, excess);
  }

  /** A size that could not be run. */
  failed(rows: number, why: string): void {
    this.#refuse(rows, why);
  }

  next(): NextSize {
    const largest = this.#runs.at(-1)?.rows ?? 0;
    if (largest === 0) return { rows: 1 };
    while (true) {
      if (largest >= this.#limits.maxRows) return { done: "" };
      if (this.#tooLarge - largest <= 1) return { done: this.#why };
      const spentMicros = this.#runs.reduce((sum, run) => (run.rows > 1 ? sum + run.micros : sum), 0);
      if (spentMicros > (this.#limits.runLimitMs * 1000) / searchShare)
        return { done: this.#why || "trying larger sizes would have taken too long" };
      const rows = Math.min(this.#limits.maxRows, this.#upTo(largest));
      const excess = this.#excess(foretell(this.#runs, rows, this.#limits.openBytes), "would take");
      if (excess === undefined) return { rows };
      this.#refuse(rows, excess);
    }
  }

  #upTo(largest: number): number {
    if (this.#tooLarge < Number.POSITIVE_INFINITY) return Math.floor((largest + this.#tooLarge) / 2);
    const all = foretell(this.#runs, this.#limits.maxRows, this.#limits.openBytes);
    return all.micros < trifleMicros && all.peakBytes < trifleBytes ? this.#limits.maxRows : 2 * largest;
  }

  #refuse(rows: number, why: string): void {
    if (rows >= this.#tooLarge) return;
    this.#tooLarge = rows;
    this.#why = why;
  }

  /** What a run takes beyond its share, in words. */
  #excess({ rows, micros, peakBytes }: ProfiledRun, takes: string): string | undefined {
    const { runLimitMs, availableBytes } = this.#limits;
    const single = this.#runs[0]?.peakBytes ?? 0;
    const limitMs = runLimitMs / batchShare;
    if (micros / 1000 > limitMs)
      return `${rows} rows ${takes} ${Math.round(micros / 1000)} ms, more than a quarter of run_limit_ms (${runLimitMs})`;
    const spareBytes = Math.max(0, availableBytes - single) / batchShare;
    if (peakBytes - single > spareBytes)
      return `${rows} rows ${takes} ${mebibytes(peakBytes)} of memory, more than one row's ${mebibytes(single)} and a quarter of the ${mebibytes(Math.max(0, availableBytes - single))} left`;
    return undefined;
  }
}

/** What a size will take, by the two largest before it; `openBytes` is what no row takes. */
export function foretell(runs: readonly ProfiledRun[], rows: number, openBytes: number): ProfiledRun {
  const last = runs.at(-1) as ProfiledRun;
  const before = runs.at(-2) ?? { rows: 0, peakBytes: openBytes };
  // With one size alone all of its time is laid on its row.
  const micros = (last.micros / last.rows) * rows;
  const perRow = Math.max(0, last.peakBytes - before.peakBytes) / (last.rows - before.rows);
  return { rows, micros, peakBytes: last.peakBytes + perRow * (rows - last.rows) };
}

/** Bytes as an operator reads them. */
export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
