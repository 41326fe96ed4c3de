import { cpus } from "node:os";
import { FleetService, Loading } from "@aimass/api/scheduler";
import { deployModel } from "@aimass/cli";
import { parseAddress, Semaphore, systemClock } from "@aimass/core";
import { Upstream } from "@aimass/h2";
import { mlpModel } from "@aimass/onnx/samples";
import { rowRequest } from "../support/row-request.ts";
import { TestMesh } from "../support/test-mesh.ts";

/**
 * Many models on demand on one replica that has room for some of them: `node test/load/on-demand.ts [--models 200] [--memory-mb 400]`. Prints how long a call takes
 * that must bring its model back, beside a call to a model that is in memory, through the router, one at a time.
 */
const option = (name: string, fallback: string) => {
  const at = process.argv.indexOf(`--${name}`);
  return Number(at < 0 ? fallback : process.argv[at + 1]);
};
const count = option("models", "200");
const memoryMb = option("memory-mb", "400");
const features = 784;
const names = Array.from({ length: count }, (_, i) => `many-${i}`);

await using mesh = await TestMesh.start({
  replicas: 1,
  env: { AIMASS_REPLICA_MEMORY_BYTES: String(memoryMb * 2 ** 20) },
});
const pushing = new Semaphore(cpus().length);
const startedAt = performance.now();
let served = 0;
await Promise.all(
  names.map((model, i) =>
    pushing.run(async () => {
      const onnx = mlpModel({ layers: [features, 200, 10], seed: i });
      await mesh.push(model, onnx);
      await deployModel(mesh.admin, { project: "default", model, replicas: 1, loading: Loading.ON_DEMAND });
      served += 1;
      if (served % 50 === 0) process.stderr.write(`${served} of ${count} models serve\n`);
    }),
  ),
);
const seconds = (performance.now() - startedAt) / 1000;

const upstream = new Upstream({
  address: parseAddress(mesh.address()) as { host: string; port: number },
  clock: systemClock,
});
while (upstream.state !== "ready") await systemClock.sleep(5);
const bodies = names.map((name) => rowRequest(name, features, { framed: true }));
const resident = await inMemory();
const cold = await latencies(bodies.concat(bodies));
const warm = await latencies(Array.from({ length: count * 2 }, () => bodies[0] as Buffer));
upstream.close();

process.stdout.write(
  [
    `${cpus().length} × ${cpus()[0]?.model.trim()}, Node ${process.versions.node}; ${count} models of 640 KB pushed and deployed in ${seconds.toFixed(0)} s`,
    `${resident} of them in memory at a time, of ${memoryMb} MiB for the replica`,
    "",
    "| call | p50 ms | p99 ms |",
    "|---|---|---|",
    `| each model in turn: put aside since its last call | ${at(cold, 0.5)} | ${at(cold, 0.99)} |`,
    `| one model again and again: in memory | ${at(warm, 0.5)} | ${at(warm, 0.99)} |`,
    "",
  ].join("\n"),
);

/** Milliseconds of one call after another. */
async function latencies(requests: readonly Buffer[]): Promise<number[]> {
  const headers = {
    "content-type": "application/grpc",
    te: "trailers",
    authorization: `Bearer ${mesh.apiKey}`,
  };
  const all: number[] = [];
  for (const body of requests) {
    const began = performance.now();
    const result = await upstream.unary({ path: "/inference.GRPCInferenceService/ModelInfer", headers, body });
    const status = result.trailers["grpc-status"] ?? result.headers["grpc-status"];
    if (status !== "0") throw new Error(`A call ended with ${status}: ${result.trailers["grpc-message"]}`);
    all.push(performance.now() - began);
  }
  return all.sort((a, b) => a - b);
}

function at(sorted: readonly number[], share: number): string {
  return (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(2);
}

async function inMemory(): Promise<number> {
  await systemClock.sleep(4500);
  const { nodes } = await mesh.admin.client(FleetService).listNodes({});
  return nodes[0]?.replicas[0]?.loaded.filter((loaded) => loaded.memoryBytes > 0n).length ?? 0;
}
