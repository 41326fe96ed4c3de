import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { LoadState } from "@aimass/api/scheduler";
import { parseAddress, takeProcessLock } from "@aimass/core";
import { poisonModel } from "@aimass/onnx/samples";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readCrashNote } from "../crashes/crash-note.ts";
import { ChildService } from "../spec-support/child-service.ts";
import { ControlPlane } from "../spec-support/control-plane.ts";
import { slowModel } from "../spec-support/models.ts";
import { ReplicaClient } from "../spec-support/replica-client.ts";
import { until } from "../spec-support/until.ts";
import { findTaskset } from "./machine.ts";
import { replicaCommand } from "./replica-command.ts";

let plane: ControlPlane;

beforeEach(async () => {
  plane = await ControlPlane.start();
});

afterEach(async () => {
  await plane[Symbol.asyncDispose]();
});

const startAgent = (devices: string) =>
  ChildService.start("agent-main.ts", { ...plane.env(), AIMASS_DEVICES: devices });

const notePath = () => join(plane.directory, "state", "replicas", "node-a_cpu-0", "running");

/** Processes whose parent is `pid`. */
async function childrenOf(pid: number | undefined): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.trim().split(" ").filter(Boolean).map(Number);
}

async function allowedCpus(pid: number): Promise<string | undefined> {
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
}

describe("an agent", () => {
  it("announces its machine and keeps one pinned replica a device", async () => {
    await using agent = await startAgent("cpu:0,name=left;cpu:1,name=right");
    const left = await until("left attached", () => plane.replicas.get("node-a/left"));
    const right = await until("right attached", () => plane.replicas.get("node-a/right"));
    expect(left.address).not.toBe(right.address);
    expect(right.device).toMatchObject({ id: "right", kind: "cpu", selector: "1" });
    const node = await until("the node is announced", () => plane.nodes.get("node-a"));
    expect(node.devices.map((d) => d.id)).toEqual(["left", "right"]);
    expect(node.total?.memoryBytes).toBeGreaterThan(0n);
    if ((await findTaskset()) !== undefined) {
      const cpus = await Promise.all((await childrenOf(agent.process.pid)).map(allowedCpus));
      expect(cpus.sort()).toEqual(["0", "1"]);
    }
  });

  it("starts a replica again that died of a stuck run, at the same address, and reports what it ran", async () => {
    await using _agent = await startAgent("cpu:0-1");
    plane.assign("node-a/cpu-0", [
      plane.publish({
        model: "slow",
        bytes: slowModel(),
        inputs: ["steps INT64"],
        outputs: ["y FP32 1"],
        serving: { runLimitMs: 300 },
      }),
    ]);
    const isReady = () => {
      const replica = plane.replicas.get("node-a/cpu-0");
      return replica?.loaded.some((l) => l.state === LoadState.READY) ? replica : undefined;
    };
    const before = await until("slow is ready", isReady);
    using client = await new ReplicaClient(parseAddress(before.address) ?? { host: "", port: 0 }, () =>
      plane.token("router"),
    ).ready();
    const stuck = {
      name: "steps",
      datatype: "INT64",
      shape: [],
      bytes: new Uint8Array(BigInt64Array.of(10n ** 12n).buffer),
    } as const;
    await expect(client.infer("slow", [stuck])).rejects.toMatchObject({ name: "TransportError" });
    const [exit] = await until("the death is reported", () => plane.exits.length > 0 && plane.exits);
    expect(exit).toMatchObject({
      replicaId: "node-a/cpu-0",
      exitCode: -1,
      signal: "SIGKILL",
      running: [{ project: "default", model: "slow", version: 1n }],
    });
    const after = await until("it is back", () => {
      const replica = isReady();
      return replica !== undefined && replica.incarnation !== before.incarnation && replica;
    });
    expect(after.address).toBe(before.address);
  });

  it("reports which version ran when a request took the process down", async () => {
    await using _agent = await startAgent("cpu:0-1");
    plane.assign("node-a/cpu-0", [
      plane.publish({
        model: "poison",
        bytes: poisonModel(),
        inputs: ["x INT32 -1"],
        outputs: ["y INT32 -1"],
        batchable: true,
      }),
      plane.publish({ model: "bystander", bytes: slowModel(), inputs: ["steps INT64"], outputs: ["y FP32 1"] }),
    ]);
    const replica = await until("both are ready", () => {
      const found = plane.replicas.get("node-a/cpu-0");
      return found?.loaded.filter((l) => l.state === LoadState.READY).length === 2 ? found : undefined;
    });
    using client = await new ReplicaClient(parseAddress(replica.address) ?? { host: "", port: 0 }, () =>
      plane.token("router"),
    ).ready();
    const poison = (value: number) =>
      ({ name: "x", datatype: "INT32", shape: [1], bytes: new Uint8Array(Int32Array.of(value).buffer) }) as const;
    expect((await client.infer("poison", [poison(5)])).outputs[0]?.shape).toEqual([1]);
    await expect(client.infer("poison", [poison(-(2 ** 31))])).rejects.toMatchObject({ name: "TransportError" });
    const [exit] = await until("the death is reported", () => plane.exits.length > 0 && plane.exits);
    const running = [{ project: "default", model: "poison", version: 1n }];
    expect(exit).toMatchObject({ exitCode: -1, incarnation: replica.incarnation, running });
  });

  it("blames nobody when a replica is killed from outside", async () => {
    await using agent = await startAgent("cpu:0-1");
    plane.assign("node-a/cpu-0", [
      plane.publish({ model: "slow", bytes: slowModel(), inputs: ["steps INT64"], outputs: ["y FP32 1"] }),
    ]);
    const replica = await until("slow is ready", () => {
      const found = plane.replicas.get("node-a/cpu-0");
      return found?.loaded.some((l) => l.state === LoadState.READY) ? found : undefined;
    });
    using client = await new ReplicaClient(parseAddress(replica.address) ?? { host: "", port: 0 }, () =>
      plane.token("router"),
    ).ready();
    const steps = new Uint8Array(BigInt64Array.of(10n ** 12n).buffer);
    client.infer("slow", [{ name: "steps", datatype: "INT64", shape: [], bytes: steps }]).catch(() => {});
    await until("it runs", () => readCrashNote(notePath())?.running.length === 1);
    process.kill((await childrenOf(agent.process.pid))[0] as number, "SIGKILL");
    const [exit] = await until("the death is reported", () => plane.exits.length > 0 && plane.exits);
    expect(exit).toMatchObject({ signal: "SIGKILL", incarnation: replica.incarnation, running: [] });
  });

  it("starts dedicated replicas as it is told and ends those nobody wants", async () => {
    plane.dedicated = [{ replicaId: "node-a/cpu-0/fraud", deviceId: "cpu-0", dedicatedTo: "default.fraud" }];
    await using agent = await startAgent("cpu:0-1");
    const dedicated = await until("it attached", () => plane.replicas.get("node-a/cpu-0/fraud"));
    expect(dedicated.dedicatedTo).toBe("default.fraud");
    expect(await childrenOf(agent.process.pid)).toHaveLength(2);
    plane.dedicated = [];
    await until("it ended", async () => (await childrenOf(agent.process.pid)).length === 1);
  });

  it("leaves no process behind when it ends", async () => {
    const agent = await startAgent("cpu:0;cpu:1");
    await until("both attached", () => plane.replicas.size === 2);
    const children = await childrenOf(agent.process.pid);
    expect(await agent.end("SIGTERM")).toBe(0);
    for (const pid of children) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });
});

describe("an agent that is killed", () => {
  const isServing = async (address: string) => {
    using client = await new ReplicaClient(parseAddress(address) ?? { host: "", port: 0 }, () =>
      plane.token("router"),
    ).ready();
    const steps = new Uint8Array(BigInt64Array.of(1n).buffer);
    return (await client.infer("slow", [{ name: "steps", datatype: "INT64", shape: [], bytes: steps }])).outputs.length;
  };
  const serveSlow = () =>
    plane.assign("node-a/cpu-0", [
      plane.publish({ model: "slow", bytes: slowModel(), inputs: ["steps INT64"], outputs: ["y FP32 1"] }),
    ]);
  const ready = (what: string, isRight: (incarnation: string) => boolean = () => true) =>
    until(what, () => {
      const found = plane.replicas.get("node-a/cpu-0");
      const isReady = found?.loaded.some((l) => l.state === LoadState.READY) === true;
      return found !== undefined && isReady && isRight(found.incarnation) ? found : undefined;
    });
  const recordPath = () => join(plane.directory, "state", "replicas", "node-a_cpu-0", "process.json");
  const recordedPid = async () => (JSON.parse(await readFile(recordPath(), "utf8")) as { pid: number }).pid;

  it("leaves its replicas serving, and the next one keeps them, starts them again and ends them", async () => {
    serveSlow();
    const first = await startAgent("cpu:0-1");
    const before = await ready("slow is ready");
    const pid = await recordedPid();
    await first.end("SIGKILL");
    expect(await isServing(before.address)).toBe(1);
    const second = await startAgent("cpu:0-1");
    await until("the node is announced", () => plane.nodes.get("node-a"));
    expect(await isServing(before.address)).toBe(1);
    expect(await recordedPid()).toBe(pid);
    expect(plane.replicas.get("node-a/cpu-0")?.incarnation).toBe(before.incarnation);
    process.kill(pid, "SIGKILL");
    const after = await ready("it is back", (incarnation) => incarnation !== before.incarnation);
    expect(after.address).toBe(before.address);
    expect(plane.exits.at(-1)).toMatchObject({ incarnation: before.incarnation, running: [] });
    const next = await recordedPid();
    expect(await second.end("SIGTERM")).toBe(0);
    expect(() => process.kill(next, 0)).toThrow("ESRCH");
  });

  it("has its replicas ended by the next one when that would start them otherwise", async () => {
    serveSlow();
    const first = await startAgent("cpu:0-1");
    const before = await ready("slow is ready");
    const pid = await recordedPid();
    await first.end("SIGKILL");
    await using _second = await ChildService.start("agent-main.ts", {
      ...plane.env(),
      AIMASS_DEVICES: "cpu:0-1",
      AIMASS_SLOTS: "1",
    });
    await ready("another is ready", (incarnation) => incarnation !== before.incarnation);
    await until("the replica of before to end", () => !isAlive(pid));
  });

  it("has dedicated replicas that nobody wants any more ended by the next one", async () => {
    plane.dedicated = [{ replicaId: "node-a/cpu-0/fraud", deviceId: "cpu-0", dedicatedTo: "default.fraud" }];
    const first = await startAgent("cpu:0-1");
    await until("it attached", () => plane.replicas.get("node-a/cpu-0/fraud"));
    const record = join(plane.directory, "state", "replicas", "node-a_cpu-0_fraud", "process.json");
    const { pid } = JSON.parse(await readFile(record, "utf8")) as { pid: number };
    plane.dedicated = [];
    await first.end("SIGKILL");
    await using _second = await startAgent("cpu:0-1");
    await until("it ended", () =>
      readFile(`/proc/${pid}/stat`)
        .then(() => false)
        .catch(() => true),
    );
  });

  it("leaves no replica behind where the supervisor is gone, too, or where no agent comes", async () => {
    const lock = join(plane.directory, "supervisor.lock");
    const held = await takeProcessLock(lock);
    const outcomes: Record<string, string>[] = [{ AIMASS_SUPERVISOR_LOCK: lock }, { AIMASS_ORPHAN_MS: "500" }];
    for (const env of outcomes) {
      const agent = await ChildService.start("agent-main.ts", { ...plane.env(), ...env, AIMASS_DEVICES: "cpu:0-1" });
      await until("its record is there", () =>
        readFile(recordPath())
          .then(() => true)
          .catch(() => false),
      );
      const pid = await recordedPid();
      await until("it attached", () => plane.replicas.get("node-a/cpu-0"));
      await agent.end("SIGKILL");
      if (held.kind === "taken") await held.lock.release();
      await until("it ended", () =>
        readFile(`/proc/${pid}/stat`)
          .then(() => false)
          .catch(() => true),
      );
      await rm(recordPath());
    }
  });
});

describe("a replica's command", () => {
  const options = { node: "/bin/node", nodeArguments: [], main: "/replica.ts" };

  it("shows a GPU replica its own GPU alone", () => {
    const device = { id: "gpu-1", kind: "gpu", selector: "GPU-77a", memoryBytes: 1024, description: "" } as const;
    expect(replicaCommand({ device, taskset: "/usr/bin/taskset", ...options })).toEqual({
      file: "/bin/node",
      arguments: ["/replica.ts"],
      env: { AIMASS_DEVICE: "gpu:GPU-77a,name=gpu-1,memory=1024", CUDA_VISIBLE_DEVICES: "GPU-77a" },
    });
  });

  it("runs unpinned where there is no taskset", () => {
    const device = { id: "cpu-0", kind: "cpu", selector: "0-3", memoryBytes: 0, description: "" } as const;
    expect(replicaCommand({ device, taskset: undefined, ...options })).toMatchObject({
      file: "/bin/node",
      env: { AIMASS_DEVICE: "cpu:0-3,name=cpu-0" },
    });
    expect(replicaCommand({ device, taskset: "/t", ...options })).toMatchObject({
      file: "/t",
      arguments: ["-c", "0-3", "/bin/node", "/replica.ts"],
    });
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
