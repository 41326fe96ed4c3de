import { Worker } from "node:worker_threads";

/** Ends this disposable process when its parent is gone, even while a run holds the main thread. */
export function endWithParent(): void {
  new Worker(new URL("./orphan-guard.ts", import.meta.url)).unref();
  process.on("disconnect", () => process.exit(0));
}
