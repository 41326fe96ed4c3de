import type { Clock } from "@aimass/core";
import type { RunOutcome } from "./run-search.ts";
import type { TrialRun } from "./trial.ts";
import type { TrialSetup } from "./trial-message.ts";
import { TrialProcess } from "./trial-process.ts";

/** What Node itself takes, and the least a trial is of use with. */
const baseMb = 160;
const leastMb = 128;

export interface PoolWish {
  /** Trials side by side; 0: as many as there are threads. */
  readonly parallel: number;
  /** CPUs the job may use. */
  readonly threads: number;
  /** MiB that all trials may take together, beside what Node itself takes. */
  readonly memoryMb: number;
  /** Bytes of the rows of one trial, once in memory. */
  readonly rowBytes: number;
}

/** How a search's processes share the machine. */
export interface PoolShape {
  readonly processes: number;
  readonly threads: number;
  /** MiB a process may take, with Node itself. */
  readonly memoryMb: number;
  /** Bytes that the rows of a trial may take. */
  readonly rowBytes: number;
}

/** Estimators hold the rows, and about twice as much of their own. */
const copies = 3;

/** As many processes as threads and memory allow, at least one. What is left is shared equally. */
export function shapePool({ parallel, threads, memoryMb, rowBytes }: PoolWish): PoolShape {
  const needed = Math.max(leastMb, (rowBytes * copies) / 2 ** 20);
  const byMemory = Math.max(1, Math.floor(memoryMb / needed));
  const processes = Math.max(1, Math.min(parallel === 0 ? threads : parallel, byMemory));
  const own = Math.max(leastMb, Math.floor(memoryMb / processes));
  return {
    processes,
    threads: Math.max(1, Math.floor(threads / processes)),
    memoryMb: own + baseMb,
    rowBytes: Math.floor((own * 2 ** 20) / copies),
  };
}

/** Scores trials in processes of their own. They are kept from one trial to the next; one that dies is replaced. */
export class TrialPool implements AsyncDisposable {
  readonly #setup: TrialSetup;
  readonly #memoryMb: number;
  readonly #clock: Clock;
  readonly #idle: TrialProcess[] = [];
  readonly #all = new Set<TrialProcess>();

  constructor(setup: TrialSetup, { memoryMb, clock }: { memoryMb: number; clock: Clock }) {
    this.#setup = setup;
    this.#memoryMb = memoryMb;
    this.#clock = clock;
  }

  /** Ids of its processes. */
  get pids(): readonly number[] {
    return [...this.#all].filter(({ isOver }) => !isOver).map(({ pid }) => pid);
  }

  /** Rejects only when the signal aborts. */
  async score(
    run: TrialRun,
    signal: AbortSignal,
    onFold: (done: number, folds: number) => void = () => {},
  ): Promise<RunOutcome> {
    signal.throwIfAborted();
    const process = this.#take();
    const outcome = await process.score(run, signal, onFold);
    if (!process.isOver) this.#idle.push(process);
    return outcome;
  }

  /** Ends all processes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map((process) => process.kill()));
  }

  #take(): TrialProcess {
    for (const process of this.#all) if (process.isOver) this.#all.delete(process);
    for (let process = this.#idle.pop(); process !== undefined; process = this.#idle.pop()) {
      if (!process.isOver) return process;
    }
    const process = new TrialProcess({ setup: this.#setup, memoryMb: this.#memoryMb, clock: this.#clock });
    this.#all.add(process);
    return process;
  }
}
