import { readdirSync, readFileSync } from "node:fs";
import { systemClock } from "@aimass/core";
import { tinyModel } from "@aimass/onnx/samples";
import { TestMesh } from "../support/test-mesh.ts";

/*
 * What a mesh takes that nobody calls: CPU of each of its processes as a share of one core, from /proc (Linux). Run with
 * `node test/load/idle.ts [--seconds=60] [--models=3] [--limit=3]`; ends with status 1 when all together take more than the limit, in percent.
 */

/** Clock ticks a second in /proc/<pid>/stat; 100 on every Linux that Node runs on (sysconf(_SC_CLK_TCK)). */
const ticksPerSecond = 100;
/** Time for what follows a start and a deployment to be over. */
const settleMs = 20_000;

const seconds = option("seconds", 60);
const models = option("models", 3);
const limitPercent = option("limit", 3);

await using mesh = await TestMesh.start({ replicas: 2, durable: true });
for (let n = 1; n <= models; n += 1) await mesh.serve(`tiny-${n}`, tinyModel(), 2);
await systemClock.sleep(settleMs);
const before = ticksByProcess();
const startedAt = performance.now();
await systemClock.sleep(seconds * 1000);
const elapsedSeconds = (performance.now() - startedAt) / 1000;
const after = ticksByProcess();

const shares = new Map<string, number>();
for (const [pid, { name, ticks }] of after) {
  const share = ((ticks - (before.get(pid)?.ticks ?? 0)) / ticksPerSecond / elapsedSeconds) * 100;
  shares.set(name, (shares.get(name) ?? 0) + share);
}
const total = [...shares.values()].reduce((sum, share) => sum + share, 0);
for (const [name, share] of [...shares].sort(([, a], [, b]) => b - a))
  process.stdout.write(`${name.padEnd(14)} ${share.toFixed(2).padStart(6)} %\n`);
process.stdout.write(
  `${"together".padEnd(14)} ${total.toFixed(2).padStart(6)} % of a core, over ${elapsedSeconds.toFixed(0)} s\n`,
);
process.exitCode = total > limitPercent ? 1 : 0;

function option(name: string, fallback: number): number {
  const text = process.argv.find((argument) => argument.startsWith(`--${name}=`))?.split("=")[1];
  const value = text === undefined ? fallback : Number(text);
  if (!(value > 0)) throw new RangeError(`--${name} is "${text}"; it must be a number above 0.`);
  return value;
}

/** User and system time of every process of the mesh but this one, which stands in for the supervisor. */
function ticksByProcess(): Map<number, { name: string; ticks: number }> {
  const names = new Map<number, string>();
  for (const [name, { pid }] of mesh.mesh.processes) if (pid !== undefined) names.set(pid, name);
  const postgres = mesh.mesh.postgres?.pid;
  const found = new Map<number, { name: string; ticks: number }>();
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      // Fields after the command in parentheses: state, ppid, …; utime and stime are the 12th and 13th of them (proc(5)).
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      const isReplica =
        command.includes("replica-main") && readFileSync(`/proc/${pid}/environ`, "utf8").includes(mesh.mesh.data.path);
      const isPostgres = pid === postgres || Number(fields[1]) === postgres;
      const name = names.get(pid) ?? (isReplica ? "replica" : isPostgres ? "postgres" : undefined);
      if (name !== undefined) found.set(pid, { name, ticks: Number(fields[11]) + Number(fields[12]) });
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}
