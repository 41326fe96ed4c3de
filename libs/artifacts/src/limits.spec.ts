import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const run = promisify(execFile);
const library = new URL("./index.ts", import.meta.url).href;

/** Runs a script that has `store` and `directory` in a process of its own and returns what it prints as JSON. */
async function inProcess(script: string, limit = ""): Promise<{ result: Record<string, unknown>; left: string[] }> {
  const directory = await mkdtemp(join(tmpdir(), "aimass-limits-"));
  try {
    const source = `
      import { createHash, randomBytes } from "node:crypto";
      import { FileArtifactStore } from ${JSON.stringify(library)};
      const store = new FileArtifactStore({ directory: ${JSON.stringify(directory)} });
      ${script}`;
    const { stdout } = await run("sh", [
      "-c",
      `${limit} exec "$0" --input-type=module-typescript -e "$1"`,
      process.execPath,
      source,
    ]);
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    return { result: JSON.parse(stdout), left: entries.filter((e) => e.isFile()).map((e) => e.name) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

describe("a file system that takes no more", () => {
  it("ends the upload with RESOURCE_EXHAUSTED and leaves nothing half-written", async () => {
    const { result, left } = await inProcess(
      `const { id } = await store.begin({ sha256: "0".repeat(64), sizeBytes: 4_000_000, owner: "user:ada" });
       await store.append(id, 0, randomBytes(500_000));
       const error = await store.append(id, 500_000, randomBytes(1_000_000)).catch((e) => e);
       console.log(JSON.stringify({ code: error.code, reason: error.reason, open: (await store.findUpload(id)) !== undefined }));`,
      "ulimit -f 2000;",
    );
    expect(result).toEqual({ code: "RESOURCE_EXHAUSTED", reason: "NO_ROOM", open: false });
    expect(left).toEqual([]);
  });
});

describe("uploads announced at the same time", () => {
  it("get no more room together than the disk has", async () => {
    const { result } = await inProcess(
      `const { statfs } = await import("node:fs/promises");
       const disk = await statfs(${JSON.stringify(tmpdir())});
       const kept = Math.min(10 * 2 ** 30, Math.max(2 ** 25, 0.05 * disk.blocks * disk.bsize));
       const sizeBytes = Math.floor((disk.bavail * disk.bsize - kept) * 0.4);
       const announce = (n) => store.begin({ sha256: String(n).repeat(64), sizeBytes, owner: "user:ada" }).then(() => "taken", (e) => e.reason);
       const outcomes = (await Promise.all([1, 2, 3].map(announce))).sort();
       console.log(JSON.stringify({ outcomes }));`,
    );
    expect(result.outcomes).toEqual(["NO_ROOM", "taken", "taken"]);
  });
});

describe("a large artifact", () => {
  it("passes in and out in constant memory", async () => {
    const { result } = await inProcess(
      `const chunk = randomBytes(1 << 20), count = 96, hash = createHash("sha256");
       for (let n = 0; n < count; n += 1) hash.update(chunk);
       const sha256 = hash.digest("hex");
       const { id } = await store.begin({ sha256, sizeBytes: count << 20, owner: "user:ada" });
       await store.append(id, 0, chunk);
       let peak = 0;
       const before = process.memoryUsage().rss;
       const measure = () => { peak = Math.max(peak, process.memoryUsage().rss - before); };
       for (let n = 1; n < count; n += 1) { await store.append(id, n << 20, chunk); measure(); }
       await store.finish(id);
       let bytes = 0;
       for await (const part of store.read(sha256)) { bytes += part.length; measure(); }
       console.log(JSON.stringify({ bytes, peakMiB: peak / (1 << 20) }));`,
    );
    expect(result.bytes).toBe(96 << 20);
    expect(result.peakMiB).toBeLessThan(48);
  });
});
