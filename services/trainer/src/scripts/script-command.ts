import { AimassError } from "@aimass/core";
import type { ScriptLimits, ScriptRun } from "./script-run.ts";

const openFiles = 4096;
const gibibyte = 1024 ** 3;
/** Beyond 128 KiB the kernel takes no variable (execve(2)). */
const longestEnvironment = 64 * 1024;
/** Of the loader and the C library, which take code and tunables from them. */
const ofLoader = /^(LD|GLIBC|MALLOC)_|^(GCONV_PATH|LOCPATH|NLSPATH)$/;

/**
 * The command under the kernel's own limits. They stop what a look every 100 ms comes too late for: file sizes, processes (within a namespace or a uid of its
 * own), and memory asked for at once far beyond the limit.
 */
export function limitedCommand(
  { command, limits }: Pick<ScriptRun, "command" | "limits">,
  o: { cpus: string | undefined; limitProcesses: boolean },
): readonly string[] {
  const most: Record<string, number> = {
    core: 0,
    nofile: openFiles,
    fsize: limits.diskBytes,
    // What is asked for need not be used, and drivers of GPUs ask for all there is.
    ...(limits.gpus.length === 0 && { data: 2 * limits.memoryBytes + gibibyte }),
    ...(o.limitProcesses && { nproc: limits.processes }),
  };
  return [
    // Of all processes on the machine, the kernel ends this one first when memory runs out.
    ...["/usr/bin/choom", "-n", "1000", "--"],
    ...["/usr/bin/prlimit", ...Object.entries(most).map(([name, value]) => `--${name}=${value}:${value}`), "--"],
    ...(o.cpus === undefined ? [] : ["/usr/bin/taskset", "--cpu-list", o.cpus]),
    ...command,
  ];
}

/** The environment a script starts with. Errors: INVALID_ARGUMENT. */
export function scriptEnvironment(
  { environment, limits }: { environment: Readonly<Record<string, string>>; limits: ScriptLimits },
  base: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  checkEnvironment(environment);
  const threads = String(limits.cpus);
  return {
    LANG: "C.UTF-8",
    PYTHONUNBUFFERED: "1",
    OMP_NUM_THREADS: threads,
    CUDA_VISIBLE_DEVICES: limits.gpus.join(","),
    ...base,
    ...environment,
  };
}

/** Refuses variables that would reach into the programs that start a script. Errors: INVALID_ARGUMENT. */
export function checkEnvironment(environment: Readonly<Record<string, string>>): void {
  let length = 0;
  for (const [name, value] of Object.entries(environment)) {
    length += Buffer.byteLength(name) + Buffer.byteLength(value);
    if (length > longestEnvironment) throw tooLong(length);
    const isFit = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !ofLoader.test(name) && !value.includes("\0");
    if (isFit) continue;
    throw new AimassError("INVALID_ARGUMENT", `The script's environment cannot hold "${name.slice(0, 100)}".`, {
      field: "spec.script.environment",
      remedy:
        "Names are letters, digits and _; those of the loader, like LD_PRELOAD, are set in the command, by env(1); values hold no zero character.",
    });
  }
}

function tooLong(length: number): AimassError {
  return new AimassError("INVALID_ARGUMENT", `The script's environment takes ${length} bytes or more.`, {
    field: "spec.script.environment",
    remedy: `At most ${longestEnvironment} bytes; put the rest into a file of the script.`,
  });
}
