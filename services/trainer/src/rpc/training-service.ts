import type { TrainingService } from "@aimass/api/trainer";
import type { Clock } from "@aimass/core";
import type { PolicyStore } from "@aimass/identity";
import type { ServiceImpl } from "@connectrpc/connect";
import type { JobDesk } from "../jobs/job-desk.ts";
import type { JobFeed } from "../jobs/job-feed.ts";
import type { PostgresJobs } from "../jobs/postgres-jobs.ts";
import type { PostgresQuotas } from "../jobs/postgres-quotas.ts";
import type { PostgresReports } from "../jobs/postgres-reports.ts";
import type { PostgresRetrainings } from "../retrainings/postgres-retrainings.ts";
import { jobCalls } from "./job-calls.ts";
import { quotaCalls } from "./quota-calls.ts";
import { retrainingCalls } from "./retraining-calls.ts";

export interface TrainingServiceOptions {
  readonly desk: JobDesk;
  readonly jobs: PostgresJobs;
  readonly reports: PostgresReports;
  readonly quotas: PostgresQuotas;
  readonly retrainings: PostgresRetrainings;
  readonly feed: JobFeed;
  readonly policy: PolicyStore;
  readonly clock: Clock;
}

/** aimass.trainer.v1.TrainingService. */
export function createTrainingService(options: TrainingServiceOptions): ServiceImpl<typeof TrainingService> {
  return { ...jobCalls(options), ...quotaCalls(options), ...retrainingCalls(options) };
}
