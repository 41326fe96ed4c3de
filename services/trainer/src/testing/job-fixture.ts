import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Job, JobSpecSchema } from "@aimass/api/trainer";
import { type Clock, systemClock } from "@aimass/core";
import { defaultLimits } from "@aimass/datasets";
import { openEventBus } from "@aimass/events";
import { generateMeshIdentity, type IdentityDocument, ServiceIdentity } from "@aimass/identity";
import { openStore } from "@aimass/store";
import { silentTelemetry } from "@aimass/telemetry";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Database } from "../database.ts";
import { JobJournal } from "../jobs/job-journal.ts";
import { JobLeases } from "../jobs/job-leases.ts";
import { PostgresCheckpoints } from "../jobs/postgres-checkpoints.ts";
import { PostgresJobs } from "../jobs/postgres-jobs.ts";
import { PostgresQuotas, type Quota } from "../jobs/postgres-quotas.ts";
import { PostgresReports } from "../jobs/postgres-reports.ts";
import { PostgresTrainers } from "../jobs/postgres-trainers.ts";
import { createTrainerMetrics } from "../metrics.ts";
import { migrations } from "../migrations/index.ts";
import { GpuPool } from "../worker/gpu-pool.ts";
import { runJobs } from "../worker/job-runner.ts";
import { JobSupervisor, type SupervisorOptions } from "../worker/job-supervisor.ts";
import { ScratchFolders } from "../worker/scratch-folders.ts";

export type Jobs = Awaited<ReturnType<typeof openJobs>>;

/** The parts of a trainer that have to do with jobs, on a database: without RPC, policy and registry. */
export async function openJobs(databaseUrl: string, defaults: Quota = { maxRunning: 0, maxQueued: 0 }) {
  const resources = new AsyncDisposableStack();
  const telemetry = silentTelemetry();
  const store = resources.use(
    await openStore<Database>({ url: databaseUrl, schema: "trainer", migrations, onError: () => {} }),
  );
  const bus = resources.use(
    await openEventBus({ identity: trainerIdentity(), store, databaseUrl, clock: systemClock, telemetry }),
  );
  const stateDirectory = await mkdtemp(join(tmpdir(), "aimass-jobs-"));
  resources.defer(() => rm(stateDirectory, { recursive: true, force: true, maxRetries: 5 }));
  const quotas = new PostgresQuotas(store, bus, defaults);
  const journal = new JobJournal(store, bus);
  const jobs = new PostgresJobs({ store, journal, quotas });
  const checkpoints = new PostgresCheckpoints(store);
  const leasesOf = (holder: string) => new JobLeases({ store, journal, holder, defaults });
  return {
    store,
    bus,
    quotas,
    journal,
    jobs,
    checkpoints,
    reports: new PostgresReports(store),
    trainers: new PostgresTrainers(store),
    leasesOf,
    stateDirectory,
    folders: new ScratchFolders(stateDirectory),
    /** Queues a job; `project` and `priority` as in a spec. */
    queue: (
      spec: Exclude<MessageInitShape<typeof JobSpecSchema>, { $typeName: string }> = {},
      key = "",
    ): Promise<Job> =>
      jobs.create({
        spec: create(JobSpecSchema, { project: "default", model: "m", recipe: "linear", ...spec }),
        createdBy: "user:ada",
        idempotencyKey: key,
        traceparent: "",
        retraining: "",
      }),
    async [Symbol.asyncDispose]() {
      await resources.disposeAsync();
    },
  };
}

function trainerIdentity(): ServiceIdentity {
  const { identities, trust } = generateMeshIdentity(["trainer"]);
  return new ServiceIdentity(identities.get("trainer") as IdentityDocument, trust, systemClock);
}

/** A trainer's workers: real processes that do what the spec's parameters say (`obedient-worker.ts`). */
export function startWorkers(
  parts: Jobs,
  o: {
    holder: string;
    workers?: number;
    gpus?: readonly string[];
    folders?: ScratchFolders;
    clock?: Clock;
  } & Partial<SupervisorOptions>,
) {
  const telemetry = silentTelemetry();
  const clock = o.clock ?? systemClock;
  const leases = o.leases ?? parts.leasesOf(o.holder);
  const ending = new AbortController();
  const supervisor = new JobSupervisor({
    checkpoints: parts.checkpoints,
    folders: parts.folders,
    clock,
    log: telemetry.log,
    metrics: createTrainerMetrics(telemetry.metrics),
    env: process.env,
    workerMemoryMb: 256,
    threads: 1,
    datasetLimits: defaultLimits,
    scripts: {
      isolation: "off",
      paths: [],
      hidden: [],
      most: { seconds: 1, memoryBytes: 1, cpus: 1, processes: 1, diskBytes: 1, gpus: [] },
    },
    longestSeconds: 3600,
    identityFile: "",
    trustFile: "",
    registryAddresses: [],
    workerFile: fileURLToPath(new URL("./obedient-worker.ts", import.meta.url)),
    ...o,
    leases,
  });
  const { workers = 1 } = o;
  const running = runJobs({
    store: parts.store,
    leases,
    trainers: parts.trainers,
    holder: o.holder,
    supervisor,
    gpus: new GpuPool(o.gpus ?? []),
    clock,
    log: telemetry.log,
    workers,
    signal: ending.signal,
  });
  return {
    supervisor,
    async [Symbol.asyncDispose]() {
      ending.abort();
      await running;
    },
  };
}
