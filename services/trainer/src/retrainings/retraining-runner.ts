import { JobSpecSchema } from "@aimass/api/trainer";
import { AimassError, Backoff, type Clock } from "@aimass/core";
import type { PolicyStore } from "@aimass/identity";
import { policyReady } from "@aimass/rpc";
import type { Store } from "@aimass/store";
import { currentTraceparent, type Logger, type Tracer, withTraceparent } from "@aimass/telemetry";
import { fromBinary } from "@bufbuild/protobuf";
import type { Database, RetrainingRow } from "../database.ts";
import type { JobDesk } from "../jobs/job-desk.ts";
import { requesterFor } from "../jobs/requester.ts";
import { isPassing } from "../library/registry-library.ts";
import { Bell } from "../worker/bell.ts";
import {
  type Occasion,
  type PostgresRetrainings,
  type RetrainingOutcome,
  retrainingChannel,
} from "./postgres-retrainings.ts";

export interface RetrainingRunnerOptions {
  readonly store: Store<Database>;
  readonly retrainings: PostgresRetrainings;
  readonly desk: JobDesk;
  readonly policy: PolicyStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly tracer: Tracer;
  readonly signal: AbortSignal;
}

/** How long a trainer trusts that it would have been told of a rule whose time has changed. */
const lookAgainMs = 5000;

/**
 * Begins the jobs of rules that are due until the signal aborts. Any number of trainers may do so side by side: a rule is one trainer's for a while, and an
 * idempotency key for each occasion makes one job of it whoever comes again.
 */
export async function runRetrainings(options: RetrainingRunnerOptions): Promise<void> {
  const { store, retrainings, policy, clock, log, signal } = options;
  const bell = new Bell();
  // Without the policy nobody would be known, and occasions would be lost.
  await policyReady(policy, signal).catch(() => {});
  using _due = await store.listen(retrainingChannel, () => bell.ring());
  const backoff = new Backoff({ initialMs: 500, maxMs: 10_000 });
  while (!signal.aborted) {
    try {
      const seen = bell.rings;
      // Asked before: what comes due while we look is then waited for once more, and not missed.
      const dueMs = await retrainings.untilDueMs();
      const row = await retrainings.take();
      if (row !== undefined) await follow(row, options);
      else await bell.waitPast(seen, clock, Math.min(dueMs, lookAgainMs), signal);
      backoff.reset();
    } catch (error) {
      log.warn("no rule could be looked at", { error });
      await clock.sleep(backoff.next(), signal).catch(() => {});
    }
  }
}

async function follow(row: RetrainingRow, options: RetrainingRunnerOptions): Promise<void> {
  const isNewData = row.on_new_data && BigInt(row.new_version) > BigInt(row.seen_version);
  const occasion: Occasion = isNewData ? "data" : "time";
  using span = options.tracer.start("trainer.retraining", {
    attributes: { "aimass.project": row.project, "aimass.retraining": row.name },
  });
  const outcome = await withTraceparent(span.traceparent, () => begin(row, occasion, options));
  await options.retrainings.settle(row, occasion, outcome);
  const facts = { project: row.project, rule: row.name, occasion, ...outcome };
  if (outcome.kind === "began") options.log.info("retraining began", facts);
  else options.log.warn("retraining did not begin", facts);
}

/** Orders the job as its author would: by the author's rights as they are now. */
async function begin(
  row: RetrainingRow,
  occasion: Occasion,
  { desk, policy, clock }: RetrainingRunnerOptions,
): Promise<RetrainingOutcome> {
  const which = occasion === "data" ? `v${row.new_version}` : `t${row.next_at?.getTime() ?? 0}`;
  try {
    const job = await desk.order({
      spec: fromBinary(JobSpecSchema, row.spec),
      requester: requesterFor(policy, clock, policy.policy.resolve(row.created_by)),
      idempotencyKey: `retraining/${row.id}/${which}`,
      traceparent: currentTraceparent() ?? "",
      retraining: row.name,
    });
    return { kind: "began", jobId: job.id };
  } catch (error) {
    const failure = AimassError.from(error);
    const kind = isPassing(failure) || failure.code === "INTERNAL" ? "postponed" : "refused";
    return { kind, error: failure.advice };
  }
}
