import { type Address, type Environment, readConfig, readListeners } from "@aimass/core";

export interface SchedulerTimings {
  /** A leader that fell silent for this long is replaced. */
  readonly leaderTtlMs: number;
  /** An agent or replica that fell silent for this long is given up. */
  readonly leaseMs: number;
  /** One that reports nothing keeps its lease for this long while its stream stands: its process may be busy. */
  readonly silentMs: number;
  /** One whose stream broke is given up after this long. */
  readonly detachMs: number;
  /** A version stays assigned for this long after it left the routes. */
  readonly drainMs: number;
  /** Longest wait between two looks at the database. */
  readonly tickMs: number;
  /** How often the library is read when no event tells of a change. */
  readonly libraryMs: number;
  /** How often routers get a sign of life. */
  readonly heartbeatMs: number;
  /** Agents and replicas gone for this long are forgotten. */
  readonly forgetMs: number;
}

/** What the scheduler needs to know. */
export interface SchedulerConfig {
  readonly listen: Address;
  readonly adminListen: Address;
  readonly identityFile: string;
  readonly trustFile: string;
  /** Holds the last policy snapshot; undefined: none is kept. */
  readonly stateDirectory: string | undefined;
  readonly databaseUrl: string;
  /** Empty: events over PostgreSQL. */
  readonly natsUrl: string;
  readonly authAddresses: readonly Address[];
  readonly registryAddresses: readonly Address[];
  readonly timings: SchedulerTimings;
  readonly env: Environment;
}

const hourMs = 3_600_000;

/** Reads the environment; throws ConfigError with everything that is wrong. */
export function readSchedulerConfig(env: Environment): SchedulerConfig {
  const config = readConfig(env, (v) => {
    const ms = (name: string, fallback: number, minimum: number, maximum = hourMs) =>
      v.integer(name, { fallback, minimum, maximum });
    v.atMost("AIMASS_SCHEDULER_HEARTBEAT_MS", "AIMASS_SCHEDULER_LEASE_MS", {
      times: 2,
      because: "a lease must outlast a heartbeat that is lost",
    });
    v.atMost("AIMASS_SCHEDULER_LEASE_MS", "AIMASS_SCHEDULER_FORGET_MS", {
      because: "a replica would be forgotten while it still has its lease",
    });
    return {
      ...readListeners(v),
      identityFile: v.string("AIMASS_IDENTITY_FILE"),
      trustFile: v.string("AIMASS_TRUST_FILE"),
      stateDirectory: v.optional("AIMASS_STATE_DIR"),
      databaseUrl: v.secret("AIMASS_DATABASE_URL"),
      natsUrl: v.secret("NATS_URL", ""),
      authAddresses: v.addresses("AIMASS_AUTH_ADDRESSES"),
      registryAddresses: v.addresses("AIMASS_REGISTRY_ADDRESSES"),
      timings: {
        leaderTtlMs: ms("AIMASS_SCHEDULER_LEADER_TTL_MS", 3000, 300),
        leaseMs: ms("AIMASS_SCHEDULER_LEASE_MS", 10_000, 500),
        silentMs: ms("AIMASS_SCHEDULER_SILENT_MS", 60_000, 0),
        detachMs: ms("AIMASS_SCHEDULER_DETACH_MS", 2000, 0),
        drainMs: ms("AIMASS_SCHEDULER_DRAIN_MS", 5000, 0),
        tickMs: ms("AIMASS_SCHEDULER_TICK_MS", 500, 50),
        libraryMs: ms("AIMASS_SCHEDULER_LIBRARY_MS", 15_000, 100),
        heartbeatMs: ms("AIMASS_SCHEDULER_HEARTBEAT_MS", 2000, 100),
        forgetMs: ms("AIMASS_SCHEDULER_FORGET_MS", hourMs, 1000, 720 * hourMs),
      },
    };
  });
  return Object.freeze({ ...config, env });
}
