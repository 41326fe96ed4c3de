import { Worker } from "node:worker_threads";
import { AimassError } from "@aimass/core";
import type { Pacer } from "../../pacer.ts";
import type { BoostingMemory } from "./boosting-memory.ts";
import { featuresTogether, workOnFeatures } from "./feature-work.ts";
import type { SplitSearch } from "./split-search.ts";

/** Positions in the control words that threads share. */
const control = { round: 0, nextFeature: 1, doneFeatures: 2, ended: 3 } as const;

/** How long a thread may take over one feature before it counts as lost. */
const lostAfterMs = 60_000;

/** What a helping thread is started with. */
export interface SearchHelp {
  readonly memory: BoostingMemory;
  readonly words: Int32Array;
}

/**
 * In the calling thread and `threads` − 1 others, which take features from a common counter: one that is late, or not yet started, delays nobody. `memory`
 * has to be shared.
 */
export function manyThreadSearch(memory: BoostingMemory, threads: number, pacer: Pacer): SplitSearch {
  const words = new Int32Array(new SharedArrayBuffer(16));
  // Nothing to take until the first round.
  words[control.nextFeature] = memory.cols;
  const help: SearchHelp = { memory, words };
  const workers = Array.from({ length: threads - 1 }, () => {
    const worker = new Worker(new URL("./search-thread.ts", import.meta.url), { workerData: help });
    worker.unref();
    return worker;
  });
  return {
    async run() {
      Atomics.store(words, control.doneFeatures, 0);
      Atomics.store(words, control.nextFeature, 0);
      Atomics.add(words, control.round, 1);
      Atomics.notify(words, control.round);
      while (takeFeatures(memory, words)) if (pacer.due) await pacer.breathe();
      for (;;) {
        const done = Atomics.load(words, control.doneFeatures);
        if (done === memory.cols) return;
        if (Atomics.wait(words, control.doneFeatures, done, lostAfterMs) === "timed-out") {
          throw new AimassError("INTERNAL", "A thread of the training stopped answering.");
        }
      }
    },
    [Symbol.dispose]() {
      Atomics.store(words, control.ended, 1);
      Atomics.add(words, control.round, 1);
      Atomics.notify(words, control.round);
      for (const worker of workers) void worker.terminate();
    },
  };
}

/** The life of a helping thread: work while there are features, sleep between rounds. */
export function helpSearch({ memory, words }: SearchHelp): void {
  for (;;) {
    const round = Atomics.load(words, control.round);
    while (takeFeatures(memory, words));
    if (Atomics.load(words, control.ended) === 1) return;
    Atomics.wait(words, control.round, round);
  }
}

/** Works on the next features; false when none are left. The job is read after a feature is taken: whoever has one keeps the round from ending. */
function takeFeatures(memory: BoostingMemory, words: Int32Array): boolean {
  const first = Atomics.add(words, control.nextFeature, featuresTogether);
  if (first >= memory.cols) return false;
  workOnFeatures(memory, first);
  Atomics.add(words, control.doneFeatures, Math.min(featuresTogether, memory.cols - first));
  Atomics.notify(words, control.doneFeatures);
  return true;
}
