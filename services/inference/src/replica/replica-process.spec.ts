import { setTimeout as sleep } from "node:timers/promises";
import type { Version } from "@aimass/api/registry";
import { LoadState } from "@aimass/api/scheduler";
import type { Tensor } from "@aimass/oip";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readCrashNote } from "../crashes/crash-note.ts";
import { ChildService } from "../spec-support/child-service.ts";
import { ControlPlane } from "../spec-support/control-plane.ts";
import { affineModel, slowModel } from "../spec-support/models.ts";
import { ReplicaClient } from "../spec-support/replica-client.ts";
import { until } from "../spec-support/until.ts";

const replicaId = "node-a/cpu-0";

let plane: ControlPlane;

beforeEach(async () => {
  plane = await ControlPlane.start();
});

afterEach(async () => {
  await plane[Symbol.asyncDispose]();
});

const startReplica = (env: Record<string, string> = {}) =>
  ChildService.start("replica-main.ts", { ...plane.env(), AIMASS_DEVICE: "cpu:0-1", ...env });
const clientOf = (replica: ChildService) =>
  new ReplicaClient(replica.address("rpc"), () => plane.token("router")).ready();
const isReady = (model: string) =>
  plane.replicas.get(replicaId)?.loaded.some((l) => l.model === model && l.state === LoadState.READY);

const affine = (): Version =>
  plane.publish({
    model: "affine",
    bytes: affineModel(),
    inputs: ["x FP32 -1,4"],
    outputs: ["y FP32 -1,4"],
    batchable: true,
  });
const slow = (runLimitMs: number): Version =>
  plane.publish({
    model: "slow",
    bytes: slowModel(),
    inputs: ["steps INT64"],
    outputs: ["y FP32 1"],
    serving: { runLimitMs },
  });
const row: Tensor = { name: "x", datatype: "FP32", shape: [1, 4], bytes: new Uint8Array(16) };
const steps = (n: bigint): Tensor => ({
  name: "steps",
  datatype: "INT64",
  shape: [],
  bytes: new Uint8Array(BigInt64Array.of(n).buffer),
});

describe("a replica process", () => {
  it("serves on while the scheduler is dead, serves again after a restart without it, and attaches when it is back", async () => {
    plane.assign(replicaId, [affine()]);
    const port = plane.schedulerAddress;
    {
      await using first = await startReplica();
      using client = await clientOf(first);
      await until("affine is ready", () => isReady("affine"));
      await plane.stopScheduler();
      expect((await client.infer("affine", [row])).modelVersion).toBe("1");
      await first.end("SIGKILL");
    }
    await using second = await startReplica({ AIMASS_SCHEDULER_ADDRESSES: `${port.host}:${port.port}` });
    using client = await clientOf(second);
    await until("it serves what it remembers", () => client.infer("affine", [row]).catch(() => undefined));
    plane.replicas.clear();
    await plane.startScheduler(port);
    await until("it has attached again", () => isReady("affine"));
  });

  it("kills itself when a run passes its limit, and its note names the culprit alone", async () => {
    plane.assign(replicaId, [affine(), slow(400)]);
    await using replica = await startReplica({ AIMASS_CRASH_NOTE: `${plane.directory}/note` });
    using client = await clientOf(replica);
    await until("both are ready", () => isReady("affine") && isReady("slow"));
    const ended = new Promise<string | null>((resolve) => replica.process.once("exit", (_, signal) => resolve(signal)));
    client.infer("slow", [steps(10n ** 12n)]).catch(() => {});
    const traffic = setInterval(() => client.infer("affine", [row]).catch(() => {}), 1);
    expect(await ended).toBe("SIGKILL");
    clearInterval(traffic);
    const slowOne = { project: "default", model: "slow", version: 1n };
    expect(readCrashNote(`${plane.directory}/note`)).toMatchObject({ culprit: slowOne, running: [slowOne] });
  });

  it("without an agent tells what its last process ran when it died, but not when it was told to end", async () => {
    plane.assign(replicaId, [slow(30_000)]);
    {
      await using first = await startReplica();
      using client = await clientOf(first);
      await until("slow is ready", () => isReady("slow"));
      client.infer("slow", [steps(10n ** 12n)]).catch(() => {});
      await sleep(200);
      await first.end("SIGSEGV");
    }
    const incarnation = plane.replicas.get(replicaId)?.incarnation;
    {
      await using _second = await startReplica();
      const [exit] = await until("it tells", () => plane.exits.length > 0 && plane.exits);
      const running = [{ project: "default", model: "slow", version: 1n }];
      expect(exit).toMatchObject({ replicaId, incarnation, exitCode: -1, running });
    }
    plane.exits.length = 0;
    plane.replicas.clear();
    await using _third = await startReplica();
    await until("slow is ready", () => isReady("slow"));
    expect(plane.exits).toEqual([]);
  });

  it("finishes what it runs when it is told to end, and says that it drains", async () => {
    plane.assign(replicaId, [slow(30_000)]);
    await using replica = await startReplica();
    using client = await clientOf(replica);
    await until("slow is ready", () => isReady("slow"));
    const answer = client.infer("slow", [steps(1_000_000n)]);
    await sleep(50);
    const ended = replica.end("SIGTERM");
    await until("the scheduler heard of it", () => plane.replicas.get(replicaId)?.draining);
    expect([...new Float32Array(new Uint8Array((await answer).outputs[0]?.bytes ?? []).buffer)]).toEqual([1_000_000]);
    expect(await ended).toBe(0);
  });

  it("gives its memory back when models come and go", async () => {
    await using replica = await startReplica({ AIMASS_SLOTS: "1" });
    const version = plane.publish({
      model: "affine",
      bytes: affineModel(4_000_000),
      inputs: ["x FP32 -1,4"],
      outputs: ["y FP32 -1,4"],
      batchable: true,
    });
    const rss = async () => {
      const metrics = await (await fetch(`http://${replica.addresses.admin}/metrics`)).text();
      return Number(/^process_resident_memory_bytes(?:\{[^}]*\})? (\S+)$/m.exec(metrics)?.[1]);
    };
    const cycle = async () => {
      plane.assign(replicaId, [version]);
      await until("loaded", () => isReady("affine"));
      plane.assign(replicaId, []);
      await until("unloaded", () => plane.replicas.get(replicaId)?.loaded.length === 0);
    };
    for (let i = 0; i < 20; i += 1) await cycle();
    const before = await rss();
    expect(before).toBeGreaterThan(2 ** 20);
    for (let i = 0; i < 40; i += 1) await cycle();
    expect(await rss()).toBeLessThan(before * 1.25);
  });
});
