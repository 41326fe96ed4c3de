import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { residentBytes } from "@aimass/core";
import { mlpModel, tinyModel } from "@aimass/onnx/samples";
import { ChaosContext } from "../chaos/context.ts";
import { InferClient } from "../support/infer-client.ts";
import { TestMesh } from "../support/test-mesh.ts";
import { rowsOf, Traffic, total } from "../support/traffic.ts";

/**
 * A soak: `node test/load/kills.ts [--kills 200] [--every 10] [--minutes 60]`. Kills a replica with SIGKILL again and again, at any moment of its life, while a new version
 * comes with every tenth kill and an old one goes; prints what disk, memory and metric series do. All three should be flat after the first rows.
 */
const option = (name: string, fallback: number) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
};
const kills = option("kills", 200);
const every = option("every", 10);
const endsAt = performance.now() + option("minutes", 60) * 60_000;

await using mesh = await TestMesh.start({ replicas: 2 });
await mesh.serve("mlp", mlpModel({ layers: [784, 512, 10], seed: 0 }), 2);
await mesh.serve("tiny", tinyModel(), 2);
const context = new ChaosContext({ mesh, models: ["mlp", "tiny"], replicasOfEach: 2 });
const client = new InferClient({ addresses: [mesh.address()], apiKey: mesh.apiKey, deadlineMs: 10_000 });
const traffic = new Traffic({ client, kinds: [rowsOf("mlp", 784), rowsOf("tiny", 4)], inFlight: 4, pauseMs: 20 });

process.stdout.write(
  "| kills | requests | failed | cache MiB | drafts | router MiB | scheduler MiB | replicas MiB | router series | scheduler series |\n",
);
process.stdout.write("|---|---|---|---|---|---|---|---|---|---|\n");
for (let kill = 0; kill <= kills && performance.now() < endsAt; kill += 1) {
  if (kill % every === 0) await report(kill);
  if (kill % every === 0 && kill > 0) await mesh.serve("mlp", mlpModel({ layers: [784, 512, 10], seed: kill }), 2);
  await context.begin();
  const before = context.replicaPids();
  context.killReplica(kill % 2);
  // Its successor too, at another moment of its start each time; the other replica lives on.
  if (kill % 3 === 2) {
    await context.wait((kill * 37) % 1500);
    const successor = context.replicaPids().find((pid) => !before.includes(pid));
    if (successor !== undefined) endNow(successor);
  }
  await context.recovered();
}
await traffic.stop();
client.close();

async function report(kill: number): Promise<void> {
  await context.wait(3000);
  const count = total(traffic.take());
  const cache = `${mesh.folder}/data/agent/cache`;
  const pid = (name: string) => mesh.mesh.processes.get(name)?.pid;
  const replicas = await Promise.all(context.replicaPids().map((one) => residentBytes(one)));
  const adminOf = (name: string) => {
    const state = mesh.mesh.processes.get(name)?.state;
    return state?.kind === "ready" ? state.addresses.admin : undefined;
  };
  const cells = [
    kill,
    count.sent,
    count.failed,
    mebibytes(diskBytes(cache)),
    fileCount(`${cache}/drafts`),
    mebibytes(await residentBytes(pid("router"))),
    mebibytes(await residentBytes(pid("scheduler"))),
    replicas.map(mebibytes).join(" + "),
    await seriesOf(adminOf("router")),
    await seriesOf(adminOf("scheduler")),
  ];
  process.stdout.write(`| ${cells.join(" | ")} |\n`);
  if (count.failed > 0) process.stdout.write(`     ${count.failures.join("; ")}\n`);
}

/** It may have ended on its own since it was seen. */
function endNow(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function diskBytes(folder: string): number {
  return existsSync(folder)
    ? Number(execFileSync("du", ["-s", "-B1", folder], { encoding: "utf8" }).split("\t")[0])
    : 0;
}

function fileCount(folder: string): number {
  return existsSync(folder)
    ? execFileSync("find", [folder, "-type", "f"], { encoding: "utf8" }).split("\n").length - 1
    : 0;
}

async function seriesOf(admin: string | undefined): Promise<number> {
  if (admin === undefined) return 0;
  const text = await (await fetch(`http://${admin}/metrics`)).text();
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}
