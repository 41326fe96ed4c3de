import type { ProbeStyle } from "../servables/probe-inputs.ts";

/** What running so many rows took. */
export interface ProfiledRun {
  readonly rows: number;
  readonly micros: number;
  /** Most memory of the model and the run together, in bytes. */
  readonly peakBytes: number;
}

/** What was found out about a version before it was let in among others. */
export interface ModelProfile {
  readonly openMicros: number;
  readonly openBytes: number;
  /** What makes inputs that the model takes; undefined when it took none, and nothing was run. */
  readonly style: ProbeStyle | undefined;
  /** Sizes that ran well, rising. */
  readonly runs: readonly ProfiledRun[];
  /** A size far above any batch, by which larger requests are foretold: a row's part stands out there from what any two runs differ by. */
  readonly large?: ProfiledRun | undefined;
  /** Why no larger size was run; "" when the largest wanted one was. */
  readonly stopped: string;
  /** Hex of the digest of a single row's outputs; "" when two equal runs differed. */
  readonly parity: string;
}

/** Runs and loads that take longer than this hold up others on their thread too long, in microseconds. */
const slowMicros = 100_000;

/** Whether a version should have threads of its own. */
export function isSlow({ openMicros, runs }: ModelProfile): boolean {
  return openMicros > slowMicros || (runs.at(-1)?.micros ?? 0) > slowMicros;
}

/** Sizes worth a first run where the version is served, quick ones: 1, 2, 4 … and the largest of them. */
export function quickSizes({ runs }: ModelProfile, maxBatchSize: number): readonly number[] {
  const largest = runs.findLast((run) => run.rows <= maxBatchSize && run.micros <= slowMicros)?.rows ?? 0;
  const sizes: number[] = [];
  for (let rows = 1; rows < largest; rows *= 2) sizes.push(rows);
  return largest === 0 ? [] : [...sizes, largest];
}
