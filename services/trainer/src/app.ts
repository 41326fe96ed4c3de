import { join } from "node:path";
import { TrainingService } from "@aimass/api/trainer";
import { type Clock, type Environment, formatAddress, type RunningService, systemClock } from "@aimass/core";
import { openEventBus } from "@aimass/events";
import { PolicyStore, ServiceIdentity } from "@aimass/identity";
import { closeServiceClients, followPolicy, serveRpc } from "@aimass/rpc";
import { openStore } from "@aimass/store";
import { createTelemetry, serveAdmin, type Telemetry } from "@aimass/telemetry";
import { hearChanges } from "./changes-elsewhere.ts";
import type { TrainerConfig } from "./config.ts";
import type { Database } from "./database.ts";
import { DeletedProjects } from "./jobs/deleted-projects.ts";
import { keepHouse } from "./jobs/housekeeping.ts";
import { JobDesk } from "./jobs/job-desk.ts";
import { JobFeed } from "./jobs/job-feed.ts";
import { JobJournal } from "./jobs/job-journal.ts";
import { JobLeases } from "./jobs/job-leases.ts";
import { PostgresCheckpoints } from "./jobs/postgres-checkpoints.ts";
import { PostgresJobs } from "./jobs/postgres-jobs.ts";
import { PostgresQuotas } from "./jobs/postgres-quotas.ts";
import { PostgresReports } from "./jobs/postgres-reports.ts";
import { PostgresTrainers } from "./jobs/postgres-trainers.ts";
import { gaugeQueue } from "./jobs/queue-gauge.ts";
import { RegistryLibrary } from "./library/registry-library.ts";
import { createTrainerMetrics } from "./metrics.ts";
import { migrations } from "./migrations/index.ts";
import { PostgresRetrainings } from "./retrainings/postgres-retrainings.ts";
import { runRetrainings } from "./retrainings/retraining-runner.ts";
import { createTrainingService } from "./rpc/training-service.ts";
import { ScriptRules } from "./scripts/script-rules.ts";
import { GpuPool } from "./worker/gpu-pool.ts";
import { runJobs } from "./worker/job-runner.ts";
import { JobSupervisor } from "./worker/job-supervisor.ts";
import { ScratchFolders } from "./worker/scratch-folders.ts";

/** Builds and starts the trainer. */
export async function startTrainer(
  config: TrainerConfig,
  env: Environment,
  clock: Clock = systemClock,
): Promise<RunningService> {
  await using resources = new AsyncDisposableStack();
  const identity = await ServiceIdentity.load(config.identityFile, config.trustFile, clock);
  const telemetry = resources.use(createTelemetry({ service: "trainer", instance: identity.instance, env }));
  if (config.unusedSettings.length > 0) {
    const names = config.unusedSettings.join(", ");
    telemetry.log.warn("settings without effect: AIMASS_SCRIPTS is off", { names });
  }
  const { log } = telemetry;
  const ending = new AbortController();
  resources.defer(() => ending.abort());
  const policy = new PolicyStore({ identity, clock });
  const following = followPolicy({
    addresses: config.authAddresses,
    identity,
    enforcerId: identity.name,
    store: policy,
    stateFile: join(config.stateDirectory, "trainer.policy"),
    clock,
    telemetry,
    signal: ending.signal,
  });
  const onError = (error: unknown) => log.scope("trainer.store").warn("database connection broken", { error });
  const { databaseUrl, natsUrl } = config;
  const store = resources.use(
    await openStore<Database>({ url: databaseUrl, schema: "trainer", migrations, clock, onError }),
  );
  const bus = resources.use(await openEventBus({ identity, store, natsUrl, databaseUrl, clock, telemetry }));
  const quotas = new PostgresQuotas(store, bus, { maxRunning: config.projectRunning, maxQueued: config.projectQueued });
  const journal = new JobJournal(store, bus);
  const jobs = new PostgresJobs({ store, journal, quotas });
  const feed = resources.use(await JobFeed.open(store));
  const libraryFor = (onBehalfOf: string) =>
    new RegistryLibrary({ addresses: config.registryAddresses, identity, onBehalfOf, clock, telemetry });
  const trainers = new PostgresTrainers(store);
  const scripts = new ScriptRules(config.scripts, { runsHere: config.workers > 0, trainers });
  const desk = new JobDesk({ jobs, libraryFor, scripts, longestSeconds: config.longestSeconds });
  const retrainings = new PostgresRetrainings(store);
  const reports = new PostgresReports(store);
  const service = createTrainingService({ desk, jobs, reports, quotas, retrainings, feed, policy, clock });
  const holder = identity.name;
  const leases = new JobLeases({ store, journal, holder, defaults: quotas.defaults });
  const checkpoints = new PostgresCheckpoints(store);
  const folders = new ScratchFolders(config.stateDirectory);
  const supervisor = createSupervisor({ config, env, leases, checkpoints, folders, clock, telemetry });
  const { signal } = ending;
  const { metrics, tracer } = telemetry;
  const jobLog = log.scope("trainer.jobs");
  const ruleLog = log.scope("trainer.retraining");
  const { workers, keepLogDays } = config;
  const gpus = new GpuPool(config.scripts.most.gpus);
  const concerned = { retrainings, deletedProjects: new DeletedProjects({ store, journal }) };
  const hearing = hearChanges(bus, concerned, signal);
  hearing.catch((error: unknown) => log.error("changes elsewhere are not heard of", { error }));
  const running = Promise.all([
    runJobs({ store, leases, trainers, holder, supervisor, gpus, clock, log: jobLog, workers, signal }),
    runRetrainings({ store, retrainings, desk, policy, clock, log: ruleLog, tracer, signal }),
    keepHouse({ store, leases, checkpoints, folders, clock, log: jobLog, keepLogDays, signal }),
    gaugeQueue({ store, metrics, clock, signal }),
  ]);
  const rpc = await serveRpc({
    name: "trainer",
    listen: config.listen,
    identity,
    policy,
    telemetry,
    clock,
    services: [TrainingService],
    routes: (router) => router.service(TrainingService, service),
  });
  const ready = () => policy.version > 0n || "The trainer has not received the access policy yet.";
  const admin = await serveAdmin({ listen: config.adminListen, telemetry, ready });
  log.info("trainer started", { rpc: formatAddress(rpc.address), workers: config.workers });
  const kept = resources.move();
  return {
    addresses: { rpc: formatAddress(rpc.address), admin: formatAddress(admin.address) },
    failed: neverOrRejected(running),
    async stop(graceMs) {
      ending.abort();
      await Promise.all([rpc.drain(graceMs), running, following]);
      await admin.close();
      closeServiceClients();
      await kept.disposeAsync();
    },
  };
}

/** Rejects when the work does, and never resolves. */
async function neverOrRejected(work: Promise<unknown>): Promise<never> {
  await work;
  return new Promise(() => {});
}

function createSupervisor(o: {
  config: TrainerConfig;
  env: Environment;
  leases: JobLeases;
  checkpoints: PostgresCheckpoints;
  folders: ScratchFolders;
  clock: Clock;
  telemetry: Telemetry;
}): JobSupervisor {
  const { metrics, log } = o.telemetry;
  const supervisor = new JobSupervisor({
    ...o.config,
    leases: o.leases,
    checkpoints: o.checkpoints,
    folders: o.folders,
    env: o.env,
    clock: o.clock,
    log: log.scope("trainer.jobs"),
    metrics: createTrainerMetrics(metrics),
  });
  metrics.observedGauge("aimass_trainer_jobs_running", { help: "Jobs that run in this process's workers." }, () => [
    { value: supervisor.running },
  ]);
  return supervisor;
}
