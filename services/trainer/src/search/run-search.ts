import { type Clock, linkedSignal } from "@aimass/core";
import { type Budget, cutAt, expectedSeconds, mayBegin } from "./budget.ts";
import { type MeasuredFold, type SearchPolicy, TrialResults, type TrialRun } from "./trial.ts";

/** Scores one run: rejects when the signal aborts, else resolves, also for a trial that fails. */
export type ScoreRun = (run: TrialRun, signal: AbortSignal) => Promise<RunOutcome>;
export type RunOutcome =
  | {
      readonly kind: "scored";
      readonly score: number;
      readonly deviation: number;
      readonly folds: readonly MeasuredFold[];
    }
  | { readonly kind: "failed"; readonly reason: string };

export interface SearchOptions {
  readonly policy: SearchPolicy;
  readonly budget: Budget;
  /** Runs side by side, 1 or more. */
  readonly parallel: number;
  readonly score: ScoreRun;
  /** What an earlier attempt found, and the seconds it took. */
  readonly earlier?: { readonly results: TrialResults; readonly seconds: number };
  /** Told after a run began and after it ended. */
  readonly onChange?: (state: SearchState) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A search as it stands. */
export interface SearchState {
  readonly results: TrialResults;
  /** Those that run, and scored trials that wait for their next run. */
  readonly active: readonly TrialRun[];
  /** Since the search began, with earlier attempts. */
  readonly seconds: number;
  /** The run that just ended. */
  readonly ended: TrialRun | undefined;
}

/** Goes through a policy's rounds until it or the budget ends. Rejects only when the signal aborts. */
export async function runSearch(options: SearchOptions): Promise<TrialResults> {
  using search = new RunningSearch(options);
  while (await search.round());
  return search.results;
}

class RunningSearch implements Disposable {
  readonly results: TrialResults;
  readonly #options: SearchOptions;
  readonly #startedAt: number;
  readonly #cut = new AbortController();
  readonly #timer: Disposable | undefined;
  readonly #running = new Set<TrialRun>();
  #waiting: TrialRun[] = [];
  #skipped: TrialRun[] = [];

  constructor(options: SearchOptions) {
    const { clock, earlier, budget } = options;
    this.#options = options;
    this.results = new TrialResults(earlier?.results.all);
    this.#startedAt = clock.monotonic() - (earlier?.seconds ?? 0) * 1000;
    const left = (cutAt(budget) - this.#elapsed()) * 1000;
    if (Number.isFinite(left)) this.#timer = clock.timer(Math.max(0, left), () => this.#cut.abort());
  }

  /** Runs one round to its end; false when it was the last one. */
  async round(): Promise<boolean> {
    const { policy, parallel, signal } = this.#options;
    signal.throwIfAborted();
    this.#waiting = [...policy.next(this.results)];
    if (this.#waiting.length === 0) return false;
    await Promise.all(Array.from({ length: parallel }, () => this.#lane()));
    this.#cutSkipped();
    return this.#skipped.length === 0;
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  async #lane(): Promise<void> {
    for (let run = this.#waiting.shift(); run !== undefined; run = this.#waiting.shift()) {
      if (!this.#mayBegin(run)) {
        this.#skipped.push(run);
        continue;
      }
      const startedAt = this.#elapsed();
      this.#running.add(run);
      this.#tell(undefined);
      const ended = await this.#score(run);
      this.#running.delete(run);
      this.results.add({ run, outcome: { ...ended, seconds: this.#elapsed() - startedAt } });
      this.#tell(run);
    }
  }

  async #score(run: TrialRun): Promise<RunOutcome | { kind: "cut" }> {
    const { score, signal } = this.#options;
    using both = linkedSignal(signal, this.#cut.signal);
    try {
      return await score(run, both.signal);
    } catch (error) {
      if (signal.aborted || !this.#cut.signal.aborted) throw error;
      return { kind: "cut" };
    }
  }

  #mayBegin(run: TrialRun): boolean {
    return mayBegin(this.#options.budget, {
      elapsed: this.#elapsed(),
      expected: expectedSeconds(run, this.results.all),
      hasAny: this.#running.size > 0 || this.results.all.some(({ outcome }) => outcome.kind !== "failed"),
    });
  }

  /** Scored trials whose next run did not begin: for them the budget was used up. */
  #cutSkipped(): void {
    for (const run of this.#skipped) {
      const isKnown = this.results.all.some((f) => f.run.trial.number === run.trial.number);
      if (isKnown) this.results.add({ run, outcome: { kind: "cut", seconds: 0 } });
    }
    if (this.#skipped.length > 0) this.#tell(undefined);
  }

  #tell(ended: TrialRun | undefined): void {
    const known = new Set(this.results.all.map(({ run }) => run.trial.number));
    const waiting = this.#waiting.filter(({ trial }) => known.has(trial.number));
    const active = [...this.#running, ...waiting];
    this.#options.onChange?.({ results: this.results, active, seconds: this.#elapsed(), ended });
  }

  #elapsed(): number {
    return (this.#options.clock.monotonic() - this.#startedAt) / 1000;
  }
}
