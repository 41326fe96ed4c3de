import type { Clock, Environment } from "@aimass/core";
import type { EventBus } from "@aimass/events";
import { PolicyStore, type ServiceIdentity } from "@aimass/identity";
import type { Store } from "@aimass/store";
import type { Telemetry } from "@aimass/telemetry";
import type { TrainerConfig } from "./config.ts";
import type { Database } from "./database.ts";
import { DeletedProjects } from "./jobs/deleted-projects.ts";
import { JobDesk } from "./jobs/job-desk.ts";
import type { JobFeed } from "./jobs/job-feed.ts";
import { JobJournal } from "./jobs/job-journal.ts";
import { JobLeases } from "./jobs/job-leases.ts";
import { PostgresCheckpoints } from "./jobs/postgres-checkpoints.ts";
import { PostgresJobs } from "./jobs/postgres-jobs.ts";
import { PostgresQuotas } from "./jobs/postgres-quotas.ts";
import { PostgresReports } from "./jobs/postgres-reports.ts";
import { PostgresTrainers } from "./jobs/postgres-trainers.ts";
import { RegistryLibrary } from "./library/registry-library.ts";
import { createTrainerMetrics } from "./metrics.ts";
import { PostgresRetrainings } from "./retrainings/postgres-retrainings.ts";
import { ScriptRules } from "./scripts/script-rules.ts";
import { GpuPool } from "./worker/gpu-pool.ts";
import { JobSupervisor } from "./worker/job-supervisor.ts";
import { ScratchFolders } from "./worker/scratch-folders.ts";

/** What the parts stand on. */
export interface Ground {
  readonly config: TrainerConfig;
  readonly env: Environment;
  readonly clock: Clock;
  readonly identity: ServiceIdentity;
  readonly telemetry: Telemetry;
  readonly store: Store<Database>;
  readonly bus: EventBus;
  readonly feed: JobFeed;
}

/** The parts of the service, put together. Nothing runs yet. */
export type Parts = ReturnType<typeof createParts>;

export function createParts(ground: Ground) {
  const { config, clock, identity, telemetry, store, bus } = ground;
  const quotas = new PostgresQuotas(store, bus, { maxRunning: config.projectRunning, maxQueued: config.projectQueued });
  const journal = new JobJournal(store, bus);
  const jobs = new PostgresJobs({ store, journal, quotas });
  const trainers = new PostgresTrainers(store);
  const scripts = new ScriptRules(config.scripts, { runsHere: config.workers > 0, trainers });
  const libraryFor = (onBehalfOf: string) =>
    new RegistryLibrary({ addresses: config.registryAddresses, identity, onBehalfOf, clock, telemetry });
  const holder = identity.name;
  const work = {
    leases: new JobLeases({ store, journal, holder, defaults: quotas.defaults }),
    checkpoints: new PostgresCheckpoints(store),
    folders: new ScratchFolders(config.stateDirectory),
  };
  return {
    ...ground,
    ...work,
    ...{ quotas, jobs, trainers, holder },
    policy: new PolicyStore({ identity, clock }),
    desk: new JobDesk({ jobs, libraryFor, scripts, longestSeconds: config.longestSeconds }),
    retrainings: new PostgresRetrainings(store),
    reports: new PostgresReports(store),
    deletedProjects: new DeletedProjects({ store, journal }),
    gpus: new GpuPool(config.scripts.most.gpus),
    supervisor: createSupervisor(ground, work),
  };
}

function createSupervisor(
  { config, env, clock, telemetry }: Ground,
  work: { leases: JobLeases; checkpoints: PostgresCheckpoints; folders: ScratchFolders },
): JobSupervisor {
  const { metrics } = telemetry;
  const log = telemetry.log.scope("trainer.jobs");
  const supervisor = new JobSupervisor({ ...config, ...work, env, clock, log, metrics: createTrainerMetrics(metrics) });
  metrics.observedGauge("aimass_trainer_jobs_running", { help: "Jobs that run in this process's workers." }, () => [
    { value: supervisor.running },
  ]);
  return supervisor;
}
