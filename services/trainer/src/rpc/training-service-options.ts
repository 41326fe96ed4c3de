import type { Clock } from "@aimass/core";
import type { PolicyStore } from "@aimass/identity";
import type { JobDesk } from "../jobs/job-desk.ts";
import type { JobFeed } from "../jobs/job-feed.ts";
import type { PostgresJobs } from "../jobs/postgres-jobs.ts";
import type { PostgresQuotas } from "../jobs/postgres-quotas.ts";
import type { PostgresReports } from "../jobs/postgres-reports.ts";
import type { PostgresRetrainings } from "../retrainings/postgres-retrainings.ts";

/** What the calls of the service work with. */
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
