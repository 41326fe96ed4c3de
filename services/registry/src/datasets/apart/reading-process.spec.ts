import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { FileArtifactStore } from "@aimass/artifacts";
import { type TempDirectory, tempDirectory } from "@aimass/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { endlessFile } from "../../testing/dataset-files.ts";
import { readingProcesses } from "../../testing/reading-processes.ts";

const dying = fileURLToPath(new URL("../../testing/dying-reader.ts", import.meta.url));

let directory: TempDirectory;

beforeEach(async () => {
  directory = await tempDirectory();
});

afterEach(async () => {
  await directory[Symbol.asyncDispose]();
});

async function put(bytes: Uint8Array): Promise<string> {
  const store = new FileArtifactStore({ directory: directory.path });
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const { id } = await store.begin({ sha256, sizeBytes: bytes.length, owner: "user:ada" });
  await store.append(id, 0, bytes);
  await store.finish(id);
  return sha256;
}

async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return status !== "" && !/^State:\s+Z/m.test(status);
}

describe.runIf(process.platform === "linux")("a process that reads", () => {
  it("ends soon after the process that started it was killed, however busy it is", async () => {
    const sha256 = await put(endlessFile());
    const parent = fork(dying, [directory.path, sha256]);
    await once(parent, "message");
    const readers = () => readingProcesses(parent.pid);
    await expect.poll(readers, { timeout: 60_000 }).toHaveLength(1);
    const [reader] = await readers();
    parent.kill("SIGKILL");
    await once(parent, "exit");
    await expect.poll(() => isAlive(reader as number), { timeout: 60_000 }).toBe(false);
  });
});
