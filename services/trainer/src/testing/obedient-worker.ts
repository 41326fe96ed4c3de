import { open } from "node:fs/promises";
import { join } from "node:path";
import { JobSpecSchema } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { fromBinary } from "@bufbuild/protobuf";
import { asDiskFull } from "../worker/disk-full.ts";
import type { RunMessage, WorkerMessage } from "../worker/worker-message.ts";
import type { WorkerReporter } from "../worker/worker-reporter.ts";
import { serveOneJob } from "../worker/worker-session.ts";

// A worker that does what a test says in the spec's parameters, instead of a training: for tests of what happens around trainings.
serveOneJob(async (run, report, clock) => {
  const { parameters, choices } = fromBinary(JobSpecSchema, run.spec);
  try {
    if (choices.stubborn !== undefined) process.on("SIGTERM", () => {});
    if (choices.fill !== undefined) await fillDisk(run.directory);
    if (choices.tellGpus !== undefined) report.log(`devices ${run.gpus.join()}`);
    const metrics = await count(run, { report, parameters, sleep: (ms) => clock.sleep(ms) });
    return { kind: "succeeded", metrics, modelVersion: 1n, reason: "Counted.", aliasMoved: false };
  } catch (error) {
    const { advice } = AimassError.from(asDiskFull(error));
    return { kind: "failed", reason: advice, passing: false, metrics: {} } satisfies WorkerMessage;
  }
});

/** Counts from where the checkpoint says to `steps`, waiting `waitMs` after each; tells of every step `perStep` times; checkpoints of `checkpointBytes`. */
async function count(
  { checkpoint, threads }: RunMessage,
  o: {
    report: WorkerReporter;
    parameters: Readonly<Record<string, number>>;
    sleep: (ms: number) => Promise<void>;
  },
): Promise<Record<string, number>> {
  const { steps = 10, waitMs = 0, perStep = 1, checkpointBytes = 0 } = o.parameters;
  const from = checkpoint === undefined ? 0 : Buffer.from(checkpoint).readUInt32LE(0);
  const state = Buffer.alloc(checkpointBytes, 7);
  o.report.log(`counting from ${from}`);
  o.report.warn("This is a count.");
  for (let step = from + 1; step <= steps; step++) {
    for (let i = 0; i < perStep; i++) {
      o.report.log(`step ${step}.${i}`);
      o.report.metric("loss", (step - 1) * perStep + i, 1 / step);
    }
    if (checkpointBytes >= 4) {
      state.writeUInt32LE(step, 0);
      o.report.checkpoint(state);
    }
    o.report.progress(step / steps, "counting", { step, steps, loss: 1 / step });
    o.report.evaluated({ task: "regression", trainRows: BigInt(step) });
    if (waitMs > 0) await o.sleep(waitMs);
  }
  return { from, threads };
}

async function fillDisk(directory: string): Promise<void> {
  const file = await open(join(directory, "big"), "w");
  while (true) await file.write(Buffer.alloc(1024 * 1024, 1));
}
