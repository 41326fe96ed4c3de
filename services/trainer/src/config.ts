import { availableParallelism } from "node:os";
import { type Address, type Environment, readConfig } from "@aimass/core";

/** What the trainer needs to know. */
export interface TrainerConfig {
  readonly listen: Address;
  readonly adminListen: Address;
  readonly identityFile: string;
  readonly trustFile: string;
  readonly databaseUrl: string;
  /** Absent: events go over PostgreSQL. */
  readonly natsUrl: string | undefined;
  readonly authAddresses: readonly Address[];
  readonly registryAddresses: readonly Address[];
  /** Holds the last policy snapshot. */
  readonly stateDirectory: string;
  /** Jobs side by side in this process. 0: it only answers. */
  readonly workers: number;
  /** Heap limit of one worker process. */
  readonly workerMemoryMb: number;
}

/** Errors: ConfigError with every problem. */
export function readTrainerConfig(env: Environment): TrainerConfig {
  const half = Math.max(1, Math.floor(availableParallelism() / 2));
  return readConfig(env, (v) => ({
    listen: v.address("AIMASS_LISTEN", "127.0.0.1:0"),
    adminListen: v.address("AIMASS_ADMIN_LISTEN", "127.0.0.1:0"),
    identityFile: v.string("AIMASS_IDENTITY_FILE"),
    trustFile: v.string("AIMASS_TRUST_FILE"),
    databaseUrl: v.secret("AIMASS_DATABASE_URL"),
    natsUrl: v.optional("NATS_URL"),
    authAddresses: v.addresses("AIMASS_AUTH_ADDRESSES"),
    registryAddresses: v.addresses("AIMASS_REGISTRY_ADDRESSES"),
    stateDirectory: v.string("AIMASS_STATE_DIR"),
    workers: v.integer("AIMASS_TRAINER_WORKERS", { fallback: half, minimum: 0, maximum: 256 }),
    workerMemoryMb: v.integer("AIMASS_TRAINER_WORKER_MEMORY_MB", { fallback: 1024, minimum: 64, maximum: 1_048_576 }),
  }));
}
