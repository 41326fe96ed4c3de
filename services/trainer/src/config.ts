import { availableParallelism } from "node:os";
import { type Address, ConfigError, type Environment, readConfig, readListeners, type Variables } from "@aimass/core";
import { type DatasetLimits, readDatasetLimits } from "@aimass/datasets";
import type { ScriptSettings } from "./scripts/script-settings.ts";

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
  /** Holds the last policy snapshot and the folders that jobs work in. */
  readonly stateDirectory: string;
  /** Jobs side by side in this process. 0: it only answers. */
  readonly workers: number;
  /** Heap limit of one worker process. */
  readonly workerMemoryMb: number;
  /** CPUs one job may use. */
  readonly threads: number;
  /** How long one attempt at a job may run, in seconds. */
  readonly longestSeconds: number;
  /** Jobs of one project that run, and that wait, unless the project has a quota of its own. 0: any number. */
  readonly projectRunning: number;
  readonly projectQueued: number;
  /** Logs and points of ended jobs are kept so long. */
  readonly keepLogDays: number;
  /** What a dataset may ask of its reader. */
  readonly datasetLimits: DatasetLimits;
  readonly scripts: ScriptSettings;
  /** Variables that are set and change nothing, because scripts are off. */
  readonly unusedSettings: readonly string[];
}

/** Errors: ConfigError with every problem. */
export function readTrainerConfig(env: Environment): TrainerConfig {
  const half = Math.max(1, Math.floor(availableParallelism() / 2));
  const most = 1_000_000;
  refuseLoneScriptSettings(env);
  return readConfig(env, (v) => ({
    unusedSettings: unusedScriptSettings(env),
    ...readListeners(v),
    identityFile: v.string("AIMASS_IDENTITY_FILE"),
    trustFile: v.string("AIMASS_TRUST_FILE"),
    databaseUrl: v.secret("AIMASS_DATABASE_URL"),
    natsUrl: v.secret("NATS_URL", ""),
    authAddresses: v.addresses("AIMASS_AUTH_ADDRESSES"),
    registryAddresses: v.addresses("AIMASS_REGISTRY_ADDRESSES"),
    stateDirectory: v.string("AIMASS_STATE_DIR"),
    workers: v.integer("AIMASS_TRAINER_WORKERS", { fallback: half, minimum: 0, maximum: 256 }),
    workerMemoryMb: v.integer("AIMASS_TRAINER_WORKER_MEMORY_MB", { fallback: 1024, minimum: 64, maximum: 1_048_576 }),
    threads: v.integer("AIMASS_TRAINER_THREADS", { fallback: defaultThreads(env, half), minimum: 1, maximum: 1024 }),
    longestSeconds: v.number("AIMASS_TRAINER_JOB_SECONDS", { fallback: 604_800, minimum: 1, maximum: 31_536_000 }),
    projectRunning: v.integer("AIMASS_TRAINER_PROJECT_RUNNING", { fallback: 0, minimum: 0, maximum: most }),
    projectQueued: v.integer("AIMASS_TRAINER_PROJECT_QUEUED", { fallback: 10_000, minimum: 0, maximum: most }),
    keepLogDays: v.number("AIMASS_TRAINER_KEEP_LOG_DAYS", { fallback: 90, minimum: 0, maximum: 36_500 }),
    datasetLimits: readDatasetLimits(v),
    scripts: readScripts(v, defaultThreads(env, half)),
  }));
}

const mebibyte = 1024 * 1024;

function scriptSettingsOf(env: Environment): string[] {
  return Object.keys(env).filter((name) => name.startsWith("AIMASS_SCRIPT_") && env[name]);
}

/** Who says "off" knows that no script runs; that the bounds wait for one is worth a line in the log. */
function unusedScriptSettings(env: Environment): readonly string[] {
  return env.AIMASS_SCRIPTS === "off" ? scriptSettingsOf(env) : [];
}

/** Bounds of scripts that are not run would go unnoticed, with whoever set them waiting for scripts to run. */
function refuseLoneScriptSettings(env: Environment): void {
  if (env.AIMASS_SCRIPTS) return;
  const lone = scriptSettingsOf(env);
  if (lone.length === 0) return;
  throw new ConfigError([
    `${lone.join(", ")} without AIMASS_SCRIPTS changes nothing; set that to bubblewrap, or to off.`,
  ]);
}

function readScripts(v: Variables, threads: number): ScriptSettings {
  v.atMost("AIMASS_SCRIPT_SECONDS", "AIMASS_TRAINER_JOB_SECONDS", { because: "a script ends with its job" });
  const megabytes = (name: string, fallback: number) =>
    v.integer(name, { fallback, minimum: 16, maximum: 16_777_216 }) * mebibyte;
  return {
    isolation: v.choice("AIMASS_SCRIPTS", ["off", "bubblewrap", "unsafe-process"], "off"),
    paths: listOf(v.optional("AIMASS_SCRIPT_PATHS")),
    hidden: ["AIMASS_STATE_DIR", "AIMASS_IDENTITY_FILE", "AIMASS_TRUST_FILE"].flatMap((name) => v.optional(name) ?? []),
    most: {
      seconds: v.number("AIMASS_SCRIPT_SECONDS", { fallback: 3600, minimum: 1, maximum: 31_536_000 }),
      memoryBytes: megabytes("AIMASS_SCRIPT_MEMORY_MB", 4096),
      cpus: v.integer("AIMASS_SCRIPT_CPUS", { fallback: threads, minimum: 1, maximum: 1024 }),
      processes: v.integer("AIMASS_SCRIPT_PROCESSES", { fallback: 512, minimum: 8, maximum: 65_536 }),
      diskBytes: megabytes("AIMASS_SCRIPT_DISK_MB", 4096),
      gpus: [...new Set(listOf(v.optional("AIMASS_SCRIPT_GPUS")))],
    },
  };
}

function listOf(text: string | undefined): readonly string[] {
  return (text ?? "").split(",").flatMap((part) => (part.trim() === "" ? [] : [part.trim()]));
}

/** The machine shared out among its workers. */
function defaultThreads(env: Environment, half: number): number {
  const workers = Number(env.AIMASS_TRAINER_WORKERS || half);
  return Math.max(1, Math.floor(availableParallelism() / (workers > 0 ? workers : 1)));
}
