import { ConfigError, type Environment, readConfig } from "./config.ts";

/** A service that runs until it is stopped. */
export interface RunningService {
  /** What it listens on, by role ("rpc", "admin"), for the supervisor and the log. */
  readonly addresses: Readonly<Record<string, string>>;
  /** What whoever started it should know at once, a sentence each. */
  readonly warnings?: readonly string[];
  /** Takes no new work, finishes what it has within `graceMs`, releases everything. */
  stop(graceMs: number): Promise<void>;
  /** Rejects when the service cannot go on; pending as long as it is well. */
  readonly failed?: Promise<never>;
}

/** Exit status for a configuration that cannot work (sysexits EX_USAGE): restarting does not help. */
export const exitUsage = 64;

/** Time between the first stop signal and giving up on a clean end. */
const defaultGraceMs = 10_000;

/**
 * The `main` of every service: start, announce, wait for SIGTERM, SIGINT or the supervisor's end, drain, exit.
 * Exits 64 for a bad configuration, 1 for a failed start, 0 after a clean stop. A second signal exits at once.
 * When the parent holds an IPC channel, the process says `{ ready: addresses, warnings }` on it and, unless `endsWithParent` is false, ends when it closes.
 */
export async function runService(
  name: string,
  start: (env: Environment) => Promise<RunningService>,
  { endsWithParent = true }: { endsWithParent?: boolean } = {},
): Promise<void> {
  let service: RunningService;
  let graceMs: number;
  // A start may wait long for a database; without its parent nobody wants it any more.
  const orphaned = () => process.exit(1);
  if (endsWithParent) process.once("disconnect", orphaned);
  try {
    graceMs = readGraceMs(process.env);
    service = await start(process.env);
  } catch (error) {
    fail(name, error);
  }
  process.off("disconnect", orphaned);
  // The parent may die at this very moment.
  process.send?.({ ready: service.addresses, warnings: service.warnings ?? [] }, undefined, undefined, () => {});
  service.failed?.catch((error: unknown) => fail(name, error));
  let stopping = false;
  const stop = () => {
    if (stopping) process.exit(1);
    stopping = true;
    setTimeout(() => process.exit(1), graceMs + 2000).unref();
    service.stop(graceMs).then(
      () => process.exit(0),
      (error: unknown) => fail(name, error),
    );
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, stop);
  if (!endsWithParent) return;
  process.on("disconnect", () => {
    if (!stopping) stop();
  });
}

/** Time between the first stop signal and giving up on a clean end. Errors: ConfigError. */
function readGraceMs(env: Environment): number {
  const bounds = { fallback: defaultGraceMs, minimum: 0, maximum: 24 * 3600_000 };
  return readConfig(env, (v) => ({ graceMs: v.integer("AIMASS_GRACE_MS", bounds) })).graceMs;
}

function fail(name: string, error: unknown): never {
  const bad = error instanceof ConfigError;
  const detail =
    error instanceof Error && !bad && process.env.AIMASS_STACKS === "true" ? error.stack : (error as Error)?.message;
  process.stderr.write(`${name}: ${detail ?? String(error)}\n`);
  process.exit(bad ? exitUsage : 1);
}
