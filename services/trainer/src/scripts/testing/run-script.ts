import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@aimass/core";
import type { ScriptIsolation, ScriptLimits, ScriptMetric, ScriptOutcome } from "../script-run.ts";

export interface ScriptTrial {
  readonly outcome: ScriptOutcome;
  readonly lines: readonly string[];
  readonly metrics: readonly ScriptMetric[];
  /** From the start, or from the cancel where there was one, to the end. */
  readonly ms: number;
  /** Command lines of what it left running. */
  readonly left: readonly string[];
  /** Its files in `out`, with their content. */
  readonly out: Readonly<Record<string, string>>;
}

export interface ScriptTrialOptions {
  readonly sh?: string;
  readonly python?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly data?: Readonly<Record<string, string>>;
  readonly limits?: Partial<ScriptLimits>;
  /** Cancels when a line says so. */
  readonly cancelAt?: string;
}

const limits: ScriptLimits = {
  seconds: 20,
  memoryBytes: 2 ** 29,
  cpus: 2,
  processes: 64,
  diskBytes: 2 ** 26,
  gpus: [],
};

/** Runs a script in a folder of its own and looks at what it leaves. Its processes carry a word in their arguments, so that they are found wherever they went. */
export async function runScript(isolation: ScriptIsolation, o: ScriptTrialOptions): Promise<ScriptTrial> {
  const directory = await mkdtemp(join(tmpdir(), "aimass-script-test-"));
  const word = randomUUID();
  const stop = new AbortController();
  const lines: string[] = [];
  const metrics: ScriptMetric[] = [];
  let started = performance.now();
  try {
    await writeFiles(directory, o.data ?? {});
    const outcome = await isolation.run({
      command: [...(o.command ?? (o.sh ? ["sh", "-c", o.sh] : ["python3", "-c", o.python ?? ""])), word],
      directory,
      environment: o.environment ?? {},
      limits: { ...limits, ...o.limits },
      onLine(line) {
        if (lines.length < 10_000) lines.push(line);
        if (line !== o.cancelAt || stop.signal.aborted) return;
        started = performance.now();
        stop.abort();
      },
      onMetric: (point) => metrics.push(point),
      signal: stop.signal,
      clock: systemClock,
    });
    const ms = performance.now() - started;
    return { outcome, lines, metrics, ms, left: await commandsWith(word), out: await contents(join(directory, "out")) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function writeFiles(directory: string, data: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(join(directory, "data"));
  for (const [name, text] of Object.entries(data)) await writeFile(join(directory, "data", name), text);
}

/** Command lines of living processes that hold a word. */
export async function commandsWith(word: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.filter((line) => line.includes(word));
}

async function contents(folder: string): Promise<Readonly<Record<string, string>>> {
  const files = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile());
  const texts = files.map(async ({ name }) => [name, (await readFile(join(folder, name), "utf8")).slice(0, 1000)]);
  return Object.fromEntries(await Promise.all(texts));
}
