import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Mesh } from "@aimass/cli";
import { AimassError } from "@aimass/core";
import { tinyModel } from "@aimass/onnx/samples";
import { InferClient } from "../support/infer-client.ts";
import { TestMesh } from "../support/test-mesh.ts";
import { rowsOf, Traffic, total } from "../support/traffic.ts";
import type { ChaosResult } from "./chaos-result.ts";
import { ChaosContext } from "./context.ts";

const scenario = "the disk is full for 15 s, services die meanwhile, then there is room again";
const diskMegabytes = 400;
const fullMs = 15_000;

/** Whether this machine lets us have a small disk: a tmpfs of our own. */
export function canHaveDisk(): boolean {
  const disk = SmallDisk.make();
  disk?.[Symbol.dispose]();
  return disk !== undefined;
}

/**
 * A mesh whose data directory lies on a small disk, which is filled under load. Logs, uploads, the database and saved states are without room; two services and a
 * replica are killed on top. No request may fail, and everything goes on when there is room.
 */
export async function diskFullScenario(): Promise<ChaosResult> {
  using disk = SmallDisk.make();
  if (disk === undefined) throw new AimassError("FAILED_PRECONDITION", "No tmpfs can be mounted here.");
  const data = join(disk.path, "data");
  await using mesh = await TestMesh.start({ data, replicas: 2 });
  await mesh.serve("tiny", tinyModel(), 2);
  const context = new ChaosContext({ mesh, models: ["tiny"], replicasOfEach: 2 });
  const client = new InferClient({ addresses: [mesh.address()], apiKey: mesh.apiKey, deadlineMs: 8000 });
  const traffic = new Traffic({ client, kinds: [rowsOf("tiny", 4)], inFlight: 8, pauseMs: 2 });
  await context.wait(500);
  traffic.take();
  await context.begin();
  let [recoveredMs, problem] = [0, undefined as string | undefined];
  try {
    disk.fill();
    await context.wait(1000);
    context.killPostgres();
    context.kill("registry", "scheduler");
    context.killReplica(0);
    for (let waitedMs = 0; waitedMs < fullMs; waitedMs += 500) {
      // Whatever gives room back, the database's own files too, is taken again.
      disk.fill();
      await context.wait(500);
    }
    await refusesStart(join(disk.path, "second"));
    disk.empty();
    recoveredMs = await context.recovered();
    // Uploads, the database and routes work again.
    await mesh.push("tiny", tinyModel());
    await context.wait(1000);
  } catch (error) {
    problem = (error as Error).message;
  }
  await traffic.stop();
  client.close();
  const count = total(traffic.take());
  if (count.failed > 0) problem = [problem, ...count.failures].filter(Boolean).join("; ");
  return { scenario, count, recoveredMs, problem };
}

/** A start on a full disk ends with a sentence that says so. */
async function refusesStart(data: string): Promise<void> {
  const error = await Mesh.start({ data, port: 0, tritonPorts: false }).then(
    (mesh) => mesh.stop(0),
    (thrown: unknown) => thrown,
  );
  if (error instanceof AimassError && error.code === "RESOURCE_EXHAUSTED") return;
  throw new AimassError("INTERNAL", `A start on a full disk ended with ${String((error as Error)?.message)}.`);
}

class SmallDisk implements Disposable {
  readonly path: string;
  #fillers = 0;

  private constructor(path: string) {
    this.path = path;
  }

  /** Undefined where we may not mount. */
  static make(): SmallDisk | undefined {
    const path = mkdtempSync(join(tmpdir(), "aimass-disk-"));
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${diskMegabytes}m,mode=755`, "tmpfs", path], {
        stdio: "ignore",
      });
      return new SmallDisk(path);
    } catch {
      rmSync(path, { recursive: true });
      return undefined;
    }
  }

  /** Takes all the room there is. */
  fill(): void {
    const { bavail, bsize } = statfsSync(this.path);
    if (bavail === 0) return;
    this.#fillers += 1;
    try {
      writeFileSync(join(this.path, `filler-${this.#fillers}`), Buffer.alloc(bavail * bsize));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }

  /** Gives it back. */
  empty(): void {
    for (let n = 1; n <= this.#fillers; n += 1) rmSync(join(this.path, `filler-${n}`), { force: true });
  }

  [Symbol.dispose](): void {
    execFileSync("umount", ["-l", this.path]);
    rmSync(this.path, { recursive: true, force: true });
  }
}
