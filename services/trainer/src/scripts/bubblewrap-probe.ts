import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { isAbsolute, join, relative } from "node:path";
import { AimassError, systemClock } from "@aimass/core";
import type { ScriptOutcome, ScriptRun } from "./script-run.ts";

export const notInstalled =
  "Scripts cannot be isolated here: a program is missing. Install bubblewrap and util-linux (Debian, Ubuntu: apt-get install bubblewrap util-linux).";

const noNamespaces =
  "As an ordinary user they need the kernel's user namespaces (sysctl user.max_user_namespaces above 0; on Debian kernel.unprivileged_userns_clone=1, on Ubuntu " +
  "kernel.apparmor_restrict_unprivileged_userns=0); in a Docker container what deploy/compose/scripts.yaml gives them, or " +
  "--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined.";

const probeLimits = { seconds: 30, memoryBytes: 2 ** 28, cpus: 1, processes: 64, diskBytes: 2 ** 24, gpus: [] };

/** Runs a program that does nothing: true when that went well, else a sentence with what bwrap said. */
export async function probeSandbox(start: (run: ScriptRun) => Promise<ScriptOutcome>): Promise<true | string> {
  if (process.platform !== "linux") return "Scripts can be isolated on Linux alone. Run the trainer there.";
  const directory = await mkdtemp(join(tmpdir(), "aimass-probe-"));
  const lines: string[] = [];
  try {
    const outcome = await start({
      command: ["true"],
      directory,
      environment: {},
      limits: probeLimits,
      onLine: (line) => lines.push(line),
      onMetric: () => {},
      signal: new AbortController().signal,
      clock: systemClock,
    });
    if (outcome.kind === "exited" && outcome.code === 0) return true;
    return explain(lines.at(-1) ?? `the sandbox ended with ${JSON.stringify(outcome)}`);
  } catch (error) {
    return AimassError.from(error).code === "INTERNAL"
      ? explain((error as Error).message)
      : (error as AimassError).advice;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** What bwrap and the programs around it say, with what to do about it. */
function explain(said: string): string {
  return [`Scripts cannot be isolated here: ${said.slice(0, 300).replace(/\.$/, "")}.`, remedyFor(said)]
    .join(" ")
    .trim();
}

function remedyFor(said: string): string {
  if (/chown|setpriv/.test(said)) {
    return "A trainer that is root gives scripts a uid of their own: let it have CHOWN, SETUID and SETGID, or run it as an ordinary user.";
  }
  if (/source path.*Permission denied/.test(said)) {
    return "Scripts have a uid of their own: let others pass through AIMASS_STATE_DIR (chmod o+x on it and the folders above), or run the trainer as an ordinary user.";
  }
  return /namespace|not permitted|uid map|mount|denied|loopback/i.test(said) ? noNamespaces : "";
}

/** What is wrong with a path that scripts are to see. */
export async function pathProblem(path: string, hidden: readonly string[]): Promise<string | undefined> {
  const remedy = "AIMASS_SCRIPT_PATHS lists folders with absolute names, separated by commas.";
  if (!isAbsolute(path)) return `"${path}" cannot be shown to scripts: it is not absolute. ${remedy}`;
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined) return `"${path}" cannot be shown to scripts: it is not there. ${remedy}`;
  for (const folder of hidden) {
    const secret = await realpath(folder).catch(() => folder);
    if (!contains(real, secret) && !contains(secret, real)) continue;
    return `"${path}" cannot be shown to scripts: "${folder}" is the platform's own. ${remedy}`;
  }
  return undefined;
}

function contains(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === "" || !(way.startsWith("..") || isAbsolute(way));
}
