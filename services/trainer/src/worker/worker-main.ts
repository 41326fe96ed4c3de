import { ServiceIdentity } from "@aimass/identity";
import { createTelemetry, withTraceparent } from "@aimass/telemetry";
import { RegistryLibrary } from "../library/registry-library.ts";
import { runJob } from "./run-job.ts";
import { serveOneJob } from "./worker-session.ts";

serveOneJob(async (run, report, clock) => {
  await using telemetry = createTelemetry({ service: "trainer-worker", env: process.env });
  const identity = await ServiceIdentity.load(run.identityFile, run.trustFile, clock);
  const library = new RegistryLibrary({
    addresses: run.registryAddresses,
    identity,
    onBehalfOf: run.createdBy,
    clock,
    telemetry,
  });
  const attributes = { "aimass.job": run.jobId };
  using span = telemetry.tracer.start("trainer.job", { parent: run.traceparent, attributes });
  const signal = new AbortController().signal;
  const result = await withTraceparent(span.traceparent, () =>
    runJob({ run, library, report, log: telemetry.log, clock, signal }),
  );
  if (result.kind === "failed") span.fail(result.reason);
  return result;
});
