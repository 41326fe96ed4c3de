import type { Counter, Gauge, Metrics } from "@aimass/telemetry";

/** What the auth service counts. */
export interface AuthMetrics {
  readonly signIns: Counter;
  readonly auditEntries: Counter;
  readonly headStoreFailures: Counter;
  readonly liveEnforcers: Gauge;
  readonly policyReadFailures: Counter;
}

export function createAuthMetrics(metrics: Metrics): AuthMetrics {
  return {
    signIns: metrics.counter("aimass_auth_sign_ins_total", {
      help: "Attempts to sign in, by outcome.",
      labels: ["outcome"],
    }),
    auditEntries: metrics.counter("aimass_auth_audit_entries_total", {
      help: "Events this process chained into the audit ledger.",
    }),
    headStoreFailures: metrics.counter("aimass_auth_audit_head_store_failures_total", {
      help: "Attempts to write signed heads of the ledger to the artifact store that failed.",
    }),
    liveEnforcers: metrics.gauge("aimass_auth_live_enforcers", {
      help: "Processes that enforce the policy and were heard of within 15 s.",
    }),
    policyReadFailures: metrics.counter("aimass_auth_policy_read_failures_total", {
      help: "Reads of the policy from the database that failed.",
    }),
  };
}
