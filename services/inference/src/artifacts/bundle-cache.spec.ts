import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { link, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Version, VersionSchema } from "@aimass/api/registry";
import { AimassError, systemClock } from "@aimass/core";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BundleCache } from "./bundle-cache.ts";
import { draftName } from "./draft-name.ts";
import { trimCache } from "./trim-cache.ts";

let directory: string;
let reads = 0;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "aimass-cache-"));
  reads = 0;
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const contents = new Map<string, Buffer>();

function bundle(files: Record<string, string>): Version {
  return create(VersionSchema, {
    files: Object.entries(files).map(([path, text]) => {
      const sha256 = createHash("sha256").update(text).digest();
      contents.set(sha256.toString("hex"), Buffer.from(text));
      return { path, sha256: new Uint8Array(sha256), sizeBytes: BigInt(text.length) };
    }),
  });
}

const openCache = () =>
  new BundleCache({
    directory,
    clock: systemClock,
    source: {
      async *read(_version, sha256, offset) {
        reads += 1;
        const bytes = contents.get(Buffer.from(sha256).toString("hex"));
        if (bytes === undefined) throw new AimassError("NOT_FOUND", "There is no such artifact.");
        yield bytes.subarray(offset);
      },
    },
  });

const ensure = (version: Version) => openCache().ensure(version, new AbortController().signal);

describe("a bundle cache", () => {
  it("fetches each file once, for this process and the next, and shares files between bundles", async () => {
    const first = await ensure(bundle({ "model.onnx": "graph", "weights/a.bin": "weights" }));
    expect(await readFile(join(first, "weights/a.bin"), "utf8")).toBe("weights");
    expect(reads).toBe(2);
    expect(await ensure(bundle({ "model.onnx": "graph", "weights/a.bin": "weights" }))).toBe(first);
    await ensure(bundle({ "model.onnx": "another graph", "weights/a.bin": "weights" }));
    expect(reads).toBe(3);
  });

  it.each(["../out", "/etc/passwd", "a/../../b", "", "a//b", "a\\b"])("takes no file at %j", async (path) => {
    await expect(ensure(bundle({ [path]: "x" }))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("fetches a blob again that was damaged on disk", async () => {
    await ensure(bundle({ "model.onnx": "graph" }));
    const [name] = await readdir(join(directory, "blobs"));
    await rm(join(directory, "bundles"), { recursive: true });
    await writeFile(join(directory, "blobs", name as string), "grapH");
    const again = await ensure(bundle({ "model.onnx": "graph" }));
    expect(await readFile(join(again, "model.onnx"), "utf8")).toBe("graph");
  });

  it("leaves nothing behind when a file does not exist", async () => {
    const missing = create(VersionSchema, {
      files: [{ path: "model.onnx", sha256: new Uint8Array(32), sizeBytes: 4n }],
    });
    await expect(ensure(missing)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await readdir(join(directory, "blobs"))).toEqual([]);
    expect(await readdir(join(directory, "drafts"))).toEqual([]);
  });
});

describe("what killed processes left half-written in a cache", () => {
  const hour = 3_600_000;

  async function leave(owner: string): Promise<void> {
    await ensure(bundle({ "model.onnx": "graph" }));
    const [blob = ""] = (await readdir(join(directory, "blobs"))).filter((name) => !name.includes("."));
    await mkdir(join(directory, "drafts", owner), { recursive: true });
    await link(join(directory, "blobs", blob), join(directory, "drafts", owner, "model.onnx"));
    await writeFile(join(directory, "blobs", `${blob}.${owner}.part`), "gra");
  }
  const left = async () => [
    ...(await readdir(join(directory, "drafts"))),
    ...(await readdir(join(directory, "blobs"))).filter((name) => name.endsWith(".part")),
  ];

  it("goes, and its hard links let go of their blobs", async () => {
    const dead = spawnSync(process.execPath, ["-e", ""]).pid;
    const [host = ""] = draftName().split(".");
    await leave(`${host}.${dead}.0011.aa`);
    // The same process id in another life, as process 1 of a container has it.
    await leave(`${host}.${process.pid}.0011.bb`);
    await trimCache(directory, 2 ** 30, Date.now());
    expect(await left()).toEqual([]);
    const [blob = ""] = await readdir(join(directory, "blobs"));
    expect((await stat(join(directory, "blobs", blob))).nlink).toBe(2);
  });

  it("stays while its writer may live: another process of this machine, or another machine for a day", async () => {
    const [host = ""] = draftName().split(".");
    await leave(draftName());
    await leave(`${host}.${process.ppid}.0011.cc`);
    await leave("elsewhere.1.0011.dd");
    await trimCache(directory, 2 ** 30, Date.now());
    expect(await left()).toHaveLength(6);
    await trimCache(directory, 2 ** 30, Date.now() + 25 * hour);
    expect((await left()).some((name) => name.includes("elsewhere"))).toBe(false);
  });
});

describe("trimming a cache", () => {
  const hour = 3_600_000;

  it("removes what was used longest ago, with its blobs, until the rest fits", async () => {
    const [old, newer, newest] = [
      await ensure(bundle({ "model.onnx": "a".repeat(100) })),
      await ensure(bundle({ "model.onnx": "b".repeat(100) })),
      await ensure(bundle({ "model.onnx": "c".repeat(100) })),
    ];
    const now = Date.now() + 10 * hour;
    for (const [path, ago] of [
      [old, 9],
      [newer, 8],
      [newest, 7],
    ] as const)
      await utimes(path, new Date(now - ago * hour), new Date(now - ago * hour));
    expect(await trimCache(directory, 200, now)).toBe(200);
    expect((await readdir(join(directory, "bundles"))).length).toBe(2);
    await expect(readFile(join(old, "model.onnx"))).rejects.toThrow("ENOENT");
    expect((await readdir(join(directory, "blobs"))).length).toBe(2);
  });

  it("keeps what was used within the hour, whatever the limit", async () => {
    await ensure(bundle({ "model.onnx": "a".repeat(100) }));
    expect(await trimCache(directory, 0, Date.now())).toBe(100);
  });

  it("is content with a cache that does not exist", async () => {
    expect(await trimCache(join(directory, "none"), 0, Date.now())).toBe(0);
  });
});
