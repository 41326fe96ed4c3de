/** A count with the time it took altogether, in nanoseconds. */
export interface Tally {
  count: number;
  ns: number;
}

/** What one run of a batch of `size` rows took, in nanoseconds. */
export interface BatchTimes {
  readonly size: number;
  readonly inputNs: number;
  readonly inferNs: number;
  readonly outputNs: number;
}

interface BatchTally {
  readonly input: Tally;
  readonly infer: Tally;
  readonly output: Tally;
}

const tally = (): Tally => ({ count: 0, ns: 0 });

function add(to: Tally, ns: number): void {
  to.count += 1;
  to.ns += ns;
}

/** Counts and durations of one version since it was loaded, with Triton's meaning of each. */
export class VersionStatistics {
  /** Milliseconds since the epoch; 0 before the first. */
  lastInference = 0;
  /** Rows: a request of batch 8 counts 8. */
  inferences = 0;
  /** Runs: a batch of any size counts 1. */
  executions = 0;
  readonly success = tally();
  readonly fail = tally();
  readonly queue = tally();
  readonly input = tally();
  readonly infer = tally();
  readonly output = tally();
  readonly batches = new Map<number, BatchTally>();

  /** A run that gave its requests their outputs. `now`: milliseconds since the epoch. */
  recordRun(times: BatchTimes, now: number): void {
    this.lastInference = now;
    this.executions += 1;
    let batch = this.batches.get(times.size);
    if (batch === undefined) {
      batch = { input: tally(), infer: tally(), output: tally() };
      this.batches.set(times.size, batch);
    }
    add(batch.input, times.inputNs);
    add(batch.infer, times.inferNs);
    add(batch.output, times.outputNs);
  }

  /** A request that was answered with outputs, `queueNs` after it came and from a run that took `times`. */
  recordSuccess(samples: number, totalNs: number, queueNs: number, times: BatchTimes): void {
    this.inferences += samples;
    add(this.success, totalNs);
    add(this.queue, queueNs);
    add(this.input, times.inputNs);
    add(this.infer, times.inferNs);
    add(this.output, times.outputNs);
  }

  /** A request that was answered with an error. */
  recordFailure(totalNs: number): void {
    add(this.fail, totalNs);
  }
}
