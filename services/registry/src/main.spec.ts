import { type ChildProcess, fork } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Address, parseAddress, systemClock } from "@aimass/core";
import { createMeshIdentity, ServiceIdentity } from "@aimass/identity";
import { createTestDatabase, type TempDirectory, type TestDatabase, tempDirectory } from "@aimass/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Clients, clientsOf, testVariables } from "./testing/test-registry.ts";

const mebibyte = 1 << 20;
const main = fileURLToPath(new URL("./main.ts", import.meta.url));

let database: TestDatabase;
let directory: TempDirectory;
let child: ChildProcess;
let addresses: { rpc: string; admin: string };
let trainer: Clients;

beforeAll(async () => {
  database = await createTestDatabase();
  directory = await tempDirectory();
  await createMeshIdentity(directory.path, ["registry", "trainer"]);
  child = fork(main, { env: { ...testVariables(directory.path, database.url), LOG: "error" } });
  const [message] = (await once(child, "message")) as [{ ready: typeof addresses }];
  addresses = message.ready;
  const files = [join(directory.path, "trainer.identity.json"), join(directory.path, "trust.json")] as const;
  const identity = await ServiceIdentity.load(...files, systemClock);
  trainer = clientsOf(parseAddress(addresses.rpc) as Address, identity, undefined);
});

afterAll(async () => {
  child?.kill("SIGKILL");
  await database?.drop();
  await directory?.[Symbol.asyncDispose]();
});

/** What the process has in memory now, and had at most, in MiB. */
async function memory(): Promise<{ now: number; peak: number }> {
  const status = await readFile(`/proc/${child.pid}/status`, "utf8");
  const read = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) / 1024;
  return { now: read("VmRSS"), peak: read("VmHWM") };
}

async function send(count: number, chunk: Uint8Array): Promise<Buffer> {
  const hash = createHash("sha256");
  for (let n = 0; n < count; n += 1) hash.update(chunk);
  const sha256 = hash.digest();
  const { uploadId } = await trainer.artifacts.startUpload({ sha256, sizeBytes: BigInt(count * mebibyte) });
  async function* stream() {
    for (let n = 0; n < count; n += 1) yield { uploadId, offset: BigInt(n * mebibyte), chunk };
  }
  expect((await trainer.artifacts.writeUpload(stream())).complete).toBe(true);
  return sha256;
}

describe("the registry's process", () => {
  it("is alive, and not ready before a policy has come", async () => {
    expect((await fetch(`http://${addresses.admin}/livez`)).status).toBe(200);
    const ready = await fetch(`http://${addresses.admin}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([503, "The access policy has not arrived yet.\n"]);
  });

  it.runIf(process.platform === "linux")(
    "takes in and gives out 64 MB in constant memory, also to a reader that dawdles",
    async () => {
      const chunk = randomBytes(mebibyte);
      // The first transfer loads code and fills pools.
      for await (const _ of trainer.artifacts.readArtifact({ sha256: await send(16, randomBytes(mebibyte)) }));
      const before = await memory();
      const sha256 = await send(64, chunk);
      expect((await memory()).peak - before.peak).toBeLessThan(48);

      let received = 0;
      for await (const part of trainer.artifacts.readArtifact({ sha256 })) {
        if (received === 0) {
          await systemClock.sleep(500);
          expect((await memory()).peak - before.peak).toBeLessThan(48);
        }
        received += part.chunk.byteLength;
      }
      expect(received).toBe(64 * mebibyte);
      expect((await memory()).peak - before.peak).toBeLessThan(48);
    },
  );

  it("ends cleanly when it is told to", async () => {
    child.kill("SIGTERM");
    const [status] = await once(child, "exit");
    expect(status).toBe(0);
  });
});
