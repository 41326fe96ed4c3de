import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type ArtifactLocation, locateArtifacts, readArtifactVariables } from "@aimass/artifacts";
import { type Address, type Environment, readConfig, readListeners } from "@aimass/core";
import { type DatasetLimits, readDatasetLimits } from "@aimass/datasets";

/** What the registry needs to know. */
export interface RegistryConfig {
  readonly listen: Address;
  readonly adminListen: Address;
  readonly identityFile: string;
  readonly trustFile: string;
  readonly databaseUrl: string;
  /** Absent: events go over PostgreSQL. */
  readonly natsUrl: string | undefined;
  readonly authAddresses: readonly Address[];
  /** Holds the last policy snapshot and bundles under inspection. */
  readonly stateDirectory: string;
  readonly artifacts: ArtifactLocation;
  /** Brings this database and the storage together although they do not look it: the id of the storage's owner, or "unowned". */
  readonly adoptArtifacts: string | undefined;
  /** A read of data is told to the audit ledger once within this time; 0: never. */
  readonly readAuditMs: number;
  readonly limits: RegistryLimits;
}

/** Bounds of what the registry takes. */
export interface RegistryLimits {
  readonly maxArtifactBytes: number;
  /** How long an upload may be left alone. */
  readonly uploadTtlMs: number;
  /** How long an artifact nothing refers to is kept. */
  readonly artifactGraceMs: number;
  /** How long it then lies in the trash. */
  readonly trashMs: number;
  /** Part of all artifacts that may go into the trash within a day, 0–1. */
  readonly collectedDailyShare: number;
  /** Time and memory the trial of a model may take, and how many run at once. */
  readonly probeTimeoutMs: number;
  readonly probeMemoryBytes: number;
  readonly probeConcurrency: number;
  readonly datasets: DatasetLimits;
  /** Time and memory the reading of a dataset may take, and how many are read at once. */
  readonly datasetTimeoutMs: number;
  readonly datasetMemoryBytes: number;
  readonly datasetConcurrency: number;
}

const mebibyte = 1024 * 1024;
const gibibyte = 1024 * mebibyte;
const hourMs = 3600_000;

/** Errors: ConfigError with every problem. */
export function readRegistryConfig(env: Environment): RegistryConfig {
  const config = readConfig(env, (v) => ({
    ...readListeners(v),
    identityFile: v.string("AIMASS_IDENTITY_FILE"),
    trustFile: v.string("AIMASS_TRUST_FILE"),
    databaseUrl: v.secret("AIMASS_DATABASE_URL"),
    natsUrl: v.secret("NATS_URL", ""),
    authAddresses: v.addresses("AIMASS_AUTH_ADDRESSES"),
    stateDirectory: v.string("AIMASS_STATE_DIR"),
    storage: readArtifactVariables(v),
    adoptArtifacts: v.optional("AIMASS_ADOPT_ARTIFACTS"),
    readAuditMs: 60_000 * v.number("AIMASS_READ_AUDIT_MINUTES", { fallback: 10, minimum: 0, maximum: 1440 }),
    limits: {
      maxArtifactBytes: v.integer("AIMASS_MAX_ARTIFACT_BYTES", {
        fallback: 64 * gibibyte,
        minimum: 1,
        maximum: 5 * 1024 * gibibyte,
      }),
      uploadTtlMs: hourMs * v.number("AIMASS_UPLOAD_TTL_HOURS", { fallback: 24, minimum: 0.01, maximum: 8760 }),
      artifactGraceMs: hourMs * v.number("AIMASS_ARTIFACT_GRACE_HOURS", { fallback: 24, minimum: 1, maximum: 8760 }),
      trashMs: 24 * hourMs * v.number("AIMASS_TRASH_DAYS", { fallback: 7, minimum: 0, maximum: 3650 }),
      collectedDailyShare: v.number("AIMASS_COLLECTED_DAILY_SHARE", { fallback: 0.1, minimum: 0.001, maximum: 1 }),
      probeTimeoutMs: v.integer("AIMASS_PROBE_TIMEOUT_MS", { fallback: 120_000, minimum: 1000, maximum: hourMs }),
      probeMemoryBytes:
        mebibyte * v.integer("AIMASS_PROBE_MEMORY_MB", { fallback: 16_384, minimum: 256, maximum: 4_194_304 }),
      probeConcurrency: v.integer("AIMASS_PROBE_CONCURRENCY", { fallback: 2, minimum: 1, maximum: 64 }),
      datasets: readDatasetLimits(v),
      datasetTimeoutMs: v.integer("AIMASS_DATASET_TIMEOUT_MS", {
        fallback: 1_800_000,
        minimum: 1000,
        maximum: 24 * hourMs,
      }),
      datasetMemoryBytes:
        mebibyte * v.integer("AIMASS_DATASET_MEMORY_MB", { fallback: 1024, minimum: 192, maximum: 1_048_576 }),
      datasetConcurrency: v.integer("AIMASS_DATASET_CONCURRENCY", { fallback: 2, minimum: 1, maximum: 64 }),
    },
  }));
  const { storage, ...rest } = config;
  const ownPlace = pathToFileURL(resolve(config.stateDirectory, "artifacts")).href;
  return { ...rest, artifacts: locateArtifacts(storage.place ?? ownPlace, storage) };
}
