import { parentPort, Worker } from "node:worker_threads";
import { AimassError } from "@aimass/core";
import type { Pacer } from "../../pacer.ts";
import { ForestGrower, type ForestWork } from "./forest-work.ts";
import type { Tree } from "./tree.ts";

/** What a thread is started with: the work, and the index of the next tree, which threads take from. */
export interface ForestThreadData {
  readonly work: ForestWork;
  readonly next: Int32Array;
}

/** The trees from index `from` on, in order, grown in the calling thread. */
export async function* growHere(work: ForestWork, from: number, pacer: Pacer): AsyncGenerator<Tree> {
  const grower = new ForestGrower(work);
  for (let index = from; index < work.trees; index++) {
    const steps = grower.tree(index);
    let step = steps.next();
    for (let node = 0; !step.done; step = steps.next()) if ((++node & 15) === 0 && pacer.due) await pacer.breathe();
    yield step.value;
    if (pacer.due) await pacer.breathe();
  }
}

/** The same trees in the same order, grown in threads that take the next index from a common counter. Throws the signal's reason when it is aborted. */
export async function* growInThreads(
  work: ForestWork,
  from: number,
  { threads, signal }: { threads: number; signal?: AbortSignal | undefined },
): AsyncGenerator<Tree> {
  const next = new Int32Array(new SharedArrayBuffer(4)).fill(from);
  const arrived = new Map<number, Tree>();
  let failure: unknown;
  let wake = () => {};
  const fail = (reason: unknown) => {
    failure ??= reason;
    wake();
  };
  const abort = () => fail(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  const workers = Array.from({ length: threads }, () => {
    const workerData: ForestThreadData = { work, next };
    const worker = new Worker(new URL("./forest-thread.ts", import.meta.url), { workerData });
    worker.on("message", ({ index, tree }: { index: number; tree: Tree }) => {
      arrived.set(index, tree);
      wake();
    });
    worker.on("error", fail);
    worker.on("exit", (code) => code !== 0 && fail(new AimassError("INTERNAL", "A thread of the training ended.")));
    return worker;
  });
  try {
    for (let index = from; index < work.trees; index++) {
      for (let tree = arrived.get(index); ; tree = arrived.get(index)) {
        if (failure !== undefined) throw failure;
        if (tree !== undefined) {
          arrived.delete(index);
          yield tree;
          break;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    signal?.removeEventListener("abort", abort);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** The life of a thread. */
export function helpForest({ work, next }: ForestThreadData): void {
  const grower = new ForestGrower(work);
  for (let index = Atomics.add(next, 0, 1); index < work.trees; index = Atomics.add(next, 0, 1)) {
    const steps = grower.tree(index);
    let step = steps.next();
    while (!step.done) step = steps.next();
    const { feature, threshold, bin, missingLeft, left, right, values } = step.value;
    const parts = [feature, threshold, bin, missingLeft, left, right, values];
    parentPort?.postMessage(
      { index, tree: step.value },
      parts.map(({ buffer }) => buffer as ArrayBuffer),
    );
  }
}
