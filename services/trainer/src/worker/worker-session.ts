import { readFile, rm } from "node:fs/promises";
import { type Clock, systemClock } from "@aimass/core";
import type { RunMessage, WorkerMessage } from "./worker-message.ts";
import { createWorkerReporter, type WorkerReporter } from "./worker-reporter.ts";

/** Makes this process a worker: it gets one job over IPC, runs it, tells how it went, and ends. SIGTERM ends it at once, and so does the end of its trainer. */
export function serveOneJob(
  run: (told: RunMessage, report: WorkerReporter, clock: Clock) => Promise<WorkerMessage>,
): void {
  process.on("disconnect", () => process.exit(1));
  process.once("message", (message) => void serve(message as RunMessage, run));
}

async function serve(told: RunMessage, run: Parameters<typeof serveOneJob>[0]): Promise<void> {
  const send = (message: WorkerMessage) => void process.send?.(message);
  send({ kind: "started" });
  const checkpoint = await readCheckpoint(told.checkpointFile);
  const { points, checkpointDirectory } = told;
  const report = createWorkerReporter({ send, clock: systemClock, points, checkpointDirectory });
  const result = await run({ ...told, checkpoint }, report, systemClock);
  report.flush();
  process.send?.(result, () => process.exit(0));
}

async function readCheckpoint(file: string | undefined): Promise<Uint8Array | undefined> {
  if (file === undefined) return undefined;
  const bytes = await readFile(file);
  await rm(file);
  return bytes;
}
