import { readFile, rm } from "node:fs/promises";
import { systemClock } from "@aimass/core";
import { ServiceIdentity } from "@aimass/identity";
import { createTelemetry, withTraceparent } from "@aimass/telemetry";
import { RegistryLibrary } from "../library/registry-library.ts";
import { runJob } from "./run-job.ts";
import type { RunMessage, WorkerMessage } from "./worker-message.ts";
import { createWorkerReporter } from "./worker-reporter.ts";

// A worker process: gets one job over IPC, runs it, tells how it went, ends. SIGTERM ends it at once, and so does the end of its trainer.
process.on("disconnect", () => process.exit(1));
process.once("message", (message) => void work(message as RunMessage));

async function work(told: RunMessage): Promise<void> {
  const send = (message: WorkerMessage) => void process.send?.(message);
  send({ kind: "started" });
  const run = { ...told, checkpoint: await readCheckpoint(told.checkpointFile) };
  const telemetry = createTelemetry({ service: "trainer-worker", env: process.env });
  const identity = await ServiceIdentity.load(run.identityFile, run.trustFile, systemClock);
  const library = new RegistryLibrary({
    addresses: run.registryAddresses,
    identity,
    onBehalfOf: run.createdBy,
    clock: systemClock,
    telemetry,
  });
  const span = telemetry.tracer.start("trainer.job", {
    parent: run.traceparent,
    attributes: { "aimass.job": run.jobId },
  });
  const { points, checkpointDirectory } = run;
  const report = createWorkerReporter({ send, clock: systemClock, points, checkpointDirectory });
  const signal = new AbortController().signal;
  const result = await withTraceparent(span.traceparent, () =>
    runJob({ run, library, report, log: telemetry.log, signal }),
  );
  report.flush();
  if (result.kind === "failed") span.fail(result.reason);
  span.end();
  await telemetry[Symbol.asyncDispose]();
  process.send?.(result, () => process.exit(0));
}

async function readCheckpoint(file: string | undefined): Promise<Uint8Array | undefined> {
  if (file === undefined) return undefined;
  const bytes = await readFile(file);
  await rm(file);
  return bytes;
}
