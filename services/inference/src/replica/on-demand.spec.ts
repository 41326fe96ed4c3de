import { randomInt } from "node:crypto";
import type { Version } from "@aimass/api/registry";
import { LoadState } from "@aimass/api/scheduler";
import { AimassError } from "@aimass/core";
import type { Tensor } from "@aimass/oip";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ChildService } from "../spec-support/child-service.ts";
import { ControlPlane } from "../spec-support/control-plane.ts";
import { affineModel, slowModel } from "../spec-support/models.ts";
import { ReplicaClient } from "../spec-support/replica-client.ts";
import { until } from "../spec-support/until.ts";

const replicaId = "node-a/cpu-0";
const gibibyte = 2 ** 30;

let plane: ControlPlane;
let replica: ChildService;
let client: ReplicaClient;
const held: Version[] = [];

/** A replica with room for three models that are said to take a gibibyte each. */
beforeEach(async () => {
  plane = await ControlPlane.start();
  replica = await ChildService.start("replica-main.ts", {
    ...plane.env(),
    AIMASS_DEVICE: "cpu:0-1",
    AIMASS_REPLICA_MEMORY_BYTES: String(4 * gibibyte),
  });
  client = await new ReplicaClient(replica.address("rpc"), () => plane.token("router")).ready();
});

afterEach(async () => {
  held.length = 0;
  client?.[Symbol.dispose]();
  await replica?.[Symbol.asyncDispose]();
  await plane?.[Symbol.asyncDispose]();
});

const affine = { bytes: affineModel(), inputs: ["x FP32 -1,4"], outputs: ["y FP32 -1,4"], batchable: true };
const slow = { bytes: slowModel(), inputs: ["steps INT64"], outputs: ["y FP32 1"] };

async function serve(model: string, onDemand: boolean, file: typeof affine | typeof slow = affine): Promise<void> {
  if (onDemand) plane.onDemand.add(model);
  held.push(plane.publish({ model, memoryBytes: gibibyte, ...file }));
  plane.assign(replicaId, held);
  await until(`${model} is ready`, () => states().get(model) === LoadState.READY || undefined);
}

function states(): ReadonlyMap<string, LoadState> {
  return new Map(plane.replicas.get(replicaId)?.loaded.map(({ model, state }) => [model, state]));
}

/** Names of the models that are in memory, as the replica says in its next report. */
async function inMemory(): Promise<string[]> {
  const before = plane.replicas.get(replicaId);
  const report = await until("a report", () => {
    const now = plane.replicas.get(replicaId);
    return now !== before ? now : undefined;
  });
  return report.loaded.filter((loaded) => loaded.memoryBytes > 0n).map((loaded) => loaded.model);
}

async function ask(model: string): Promise<void> {
  const value = randomInt(1000);
  const x = { name: "x", datatype: "FP32", shape: [1, 4], bytes: bytesOf([value, 0, 0, 0]) } as const;
  const { outputs } = await client.infer(model, [x]);
  expect(new Float32Array(new Uint8Array(outputs[0]?.bytes ?? []).buffer)[0]).toBe(2 * value + 1);
}

const bytesOf = (values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer);

const steps = (count: bigint): Tensor => ({
  name: "steps",
  datatype: "INT64",
  shape: [],
  bytes: new Uint8Array(BigInt64Array.of(count).buffer),
});

async function metric(name: string): Promise<number> {
  const text = await (
    await fetch(`http://${replica.address("admin").host}:${replica.address("admin").port}/metrics`)
  ).text();
  return Number(new RegExp(`^${name} (\\S+)`, "m").exec(text)?.[1] ?? Number.NaN);
}

describe("versions on demand", () => {
  it("more than fit are all ready and all answer, and no more are in memory than fit", async () => {
    const models = ["a", "b", "c", "d", "e"];
    for (const model of models) await serve(model, true);
    for (let round = 0; round < 3; round += 1) for (const model of models) await ask(model);
    await Promise.all(models.flatMap((model) => Array.from({ length: 40 }, () => ask(model))));
    expect((await inMemory()).length).toBeLessThanOrEqual(3);
    expect([...states().values()]).toEqual(models.map(() => LoadState.READY));
    expect(await metric("aimass_inference_recall_seconds_count")).toBeGreaterThan(5);
    expect(await metric("aimass_inference_evictions_total")).toBeGreaterThan(5);
  });

  it("make room for one another, and never take that of a resident one", async () => {
    await serve("always", false);
    for (const model of ["a", "b", "c"]) await serve(model, true);
    for (const model of ["a", "b", "c", "a", "b", "c"]) {
      await ask(model);
      expect(await inMemory()).toEqual(expect.arrayContaining(["always", model]));
    }
  });

  it("one that runs is not put aside under its run", async () => {
    await serve("slow", true, slow);
    const run = client.infer("slow", [steps(3_000_000n)]);
    for (const model of ["a", "b", "c", "d"]) {
      await serve(model, true);
      await ask(model);
    }
    expect(await inMemory()).toContain("slow");
    expect((await run).outputs[0]?.shape).toEqual([1]);
  });

  it("one that finds no room says so, and answers once there is", async () => {
    await serve("lazy", true);
    for (const model of ["a", "b", "c"]) await serve(model, false);
    const error = await ask("lazy").catch((cause: unknown) => cause as AimassError);
    expect(error).toBeInstanceOf(AimassError);
    expect([(error as AimassError).code, (error as AimassError).message]).toEqual([
      "RESOURCE_EXHAUSTED",
      expect.stringMatching(/needs 1024.0 MiB of memory/),
    ]);
    held.pop();
    plane.assign(replicaId, held);
    await until("c is gone", () => !states().has("c") || undefined);
    await ask("lazy");
  });

  it("one that is to be resident from now on comes back and stays", async () => {
    const models = ["a", "b", "c", "d"];
    for (const model of models) await serve(model, true);
    const before = await inMemory();
    const [put = ""] = models.filter((model) => !before.includes(model));
    plane.onDemand.delete(put);
    plane.assign(replicaId, held);
    await until(`${put} is in memory`, async () => (await inMemory()).includes(put) || undefined);
    for (const model of [...models, ...models]) await ask(model);
    expect(await inMemory()).toContain(put);
  });

  it("one that is no longer wanted goes, put aside or not, and gives back what it had", async () => {
    for (const model of ["a", "b", "c", "d"]) await serve(model, true);
    plane.assign(replicaId, []);
    await until("all are gone", () => states().size === 0 || undefined);
    expect(plane.replicas.get(replicaId)?.memoryBytesOnDemand).toBe(0n);
    held.length = 0;
    await serve("a", true);
    await ask("a");
  });
});
