import { createHash, randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Level } from "@aimass/api/auth";
import type { ReadGrant } from "@aimass/api/registry";
import { FileArtifactStore } from "@aimass/artifacts";
import { type AimassError, systemClock } from "@aimass/core";
import { signReadGrant } from "@aimass/identity";
import { echoModel, mlpModel, tinyModel } from "@aimass/onnx/samples";
import { refusal } from "@aimass/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Clients,
  chunksOf,
  listServable,
  push,
  startTestRegistry,
  type TestRegistry,
  upload,
} from "../testing/test-registry.ts";

const grants = [
  { subject: "user:ada", resource: "default", level: Level.EDIT },
  { subject: "user:bob", resource: "default.shared", level: Level.EDIT },
  { subject: "user:bob", resource: "default.scripted", level: Level.EDIT },
  { subject: "user:eve", resource: "default", level: Level.VIEW },
];

let registry: TestRegistry;

beforeAll(async () => {
  registry = await startTestRegistry({ grants, env: { AIMASS_MAX_ARTIFACT_BYTES: String(256 << 20) } });
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
});

async function read(
  clients: Clients,
  sha256: Uint8Array,
  asked: { grant?: ReadGrant; offset?: bigint } = {},
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const { chunk } of clients.artifacts.readArtifact({ sha256, ...asked })) {
    expect(chunk.byteLength).toBeLessThanOrEqual(1 << 20);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function digestOf(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

describe("an upload", () => {
  it("comes back byte for byte, from the start and from the middle", async () => {
    const ada = registry.as("user:ada");
    const bytes = randomBytes(3_000_000);
    const sha256 = await upload(ada, bytes);
    expect(await read(ada, sha256)).toEqual(bytes);
    expect(await read(ada, sha256, { offset: 2_999_990n })).toEqual(bytes.subarray(2_999_990));
    expect(await read(ada, sha256, { offset: 3_000_000n })).toHaveLength(0);
    expect(await refusal(read(ada, sha256, { offset: 3_000_001n }))).toMatchObject({ code: "OUT_OF_RANGE" });
    expect(await refusal(read(ada, sha256, { offset: -1n }))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("torn in the middle goes on after a restart of the registry", async () => {
    const bytes = randomBytes(5_000_000);
    const request = { sha256: digestOf(bytes), sizeBytes: 5_000_000n };
    const { uploadId } = await registry.as("user:ada").artifacts.startUpload(request);
    async function* torn() {
      for await (const part of chunksOf(bytes.subarray(0, 3_000_000), uploadId, 0, 100_000)) yield part;
      await systemClock.sleep(100);
      throw new Error("the network broke");
    }
    await refusal(registry.as("user:ada").artifacts.writeUpload(torn()));
    await registry.restart();

    const { artifacts } = registry.as("user:ada");
    const resumed = await artifacts.startUpload(request);
    expect(resumed).toMatchObject({ uploadId, complete: false });
    expect(Number(resumed.receivedBytes)).toBeGreaterThan(0);
    expect(Number(resumed.receivedBytes)).toBeLessThanOrEqual(3_000_000);
    const done = await artifacts.writeUpload(chunksOf(bytes, uploadId, Number(resumed.receivedBytes)));
    expect(done).toMatchObject({ complete: true, receivedBytes: 5_000_000n });
    expect(await read(registry.as("user:ada"), request.sha256)).toEqual(bytes);
    expect(await artifacts.startUpload(request)).toMatchObject({ complete: true, uploadId: "" });
  });

  it("brought twice at once is complete for both", async () => {
    const ada = registry.as("user:ada");
    const bytes = randomBytes(500_000);
    const request = { sha256: digestOf(bytes), sizeBytes: BigInt(bytes.length) };
    const { uploadId } = await ada.artifacts.startUpload(request);
    const [sent, first] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    async function* second() {
      yield { uploadId, offset: 0n, chunk: new Uint8Array() };
      sent.resolve();
      await first.promise;
      yield* chunksOf(bytes, uploadId);
    }
    const late = ada.artifacts.writeUpload(second());
    await sent.promise;
    // What was sent is open there, too.
    await systemClock.sleep(300);
    expect(await ada.artifacts.writeUpload(chunksOf(bytes, uploadId))).toMatchObject({ complete: true });
    first.resolve();
    expect(await late).toMatchObject({ complete: true });
  });

  it("brought by many at once, and announced by others as it ends, is complete for all", async () => {
    const ada = registry.as("user:ada");
    const bring = async (bytes: Buffer): Promise<boolean> => {
      const request = { sha256: digestOf(bytes), sizeBytes: BigInt(bytes.length) };
      for (let attempt = 1; attempt < 50; attempt += 1) {
        const { complete, uploadId, receivedBytes } = await ada.artifacts.startUpload(request);
        if (complete) return true;
        // Another one went on with it, or ended it: that is for whoever uploads to start again.
        await ada.artifacts
          .writeUpload(chunksOf(bytes, uploadId, Number(receivedBytes)))
          .catch((error: AimassError) => {
            if (error.code !== "ABORTED" && error.code !== "NOT_FOUND") throw error;
          });
      }
      return false;
    };
    for (let round = 0; round < 60; round += 1) {
      const bytes = randomBytes(2000);
      expect(await Promise.all(Array.from({ length: 6 }, () => bring(bytes)))).toEqual(Array(6).fill(true));
    }
  });

  it("whose last byte came just before the registry was killed is complete when it is started again", async () => {
    const bytes = randomBytes(300_000);
    const request = { sha256: digestOf(bytes), sizeBytes: BigInt(bytes.length) };
    const { artifacts } = registry.as("user:ada");
    const { uploadId } = await artifacts.startUpload(request);
    const files = new FileArtifactStore({ directory: join(registry.directory, "state", "artifacts") });
    await files.append(uploadId, 0, bytes);
    await registry.restart();
    expect(await registry.as("user:ada").artifacts.startUpload(request)).toMatchObject({ complete: true });
    expect(await read(registry.as("user:ada"), request.sha256)).toEqual(bytes);
  });

  it("with another digest than announced leaves nothing", async () => {
    const { artifacts } = registry.as("user:ada");
    const { uploadId } = await artifacts.startUpload({ sha256: Buffer.alloc(32, 9), sizeBytes: 1000n });
    const error = await refusal(artifacts.writeUpload(chunksOf(randomBytes(1000), uploadId)));
    expect(error).toMatchObject({ code: "DATA_LOSS", reason: "DIGEST_MISMATCH" });
    expect(await readdir(join(registry.directory, "state", "artifacts", "uploads"))).toEqual([]);
    const again = await refusal(artifacts.writeUpload(chunksOf(randomBytes(1000), uploadId)));
    expect(again).toMatchObject({ code: "NOT_FOUND", reason: "UPLOAD_NOT_FOUND" });
  });

  it("at the wrong place is told the right one", async () => {
    const { artifacts } = registry.as("user:ada");
    const bytes = randomBytes(1000);
    const { uploadId } = await artifacts.startUpload({ sha256: digestOf(bytes), sizeBytes: 1000n });
    const error = await refusal(artifacts.writeUpload(chunksOf(bytes, uploadId, 500)));
    expect(error).toMatchObject({ code: "ABORTED", remedy: "Go on from byte 0." });
  });

  it("of nothing at all is complete at once", async () => {
    const ada = registry.as("user:ada");
    const sha256 = digestOf(Buffer.alloc(0));
    expect(await ada.artifacts.startUpload({ sha256, sizeBytes: 0n })).toMatchObject({ complete: true });
    expect(await read(ada, sha256)).toHaveLength(0);
  });

  it.each([
    ["a digest of 31 bytes", { sha256: Buffer.alloc(31), sizeBytes: 1n }],
    ["a negative size", { sha256: Buffer.alloc(32), sizeBytes: -1n }],
    ["more than is taken", { sha256: Buffer.alloc(32), sizeBytes: BigInt((256 << 20) + 1) }],
  ])("of %s is refused", async (_, request) => {
    const error = await refusal(registry.as("user:ada").artifacts.startUpload(request));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("in chunks over 1 MiB is refused", async () => {
    const { artifacts } = registry.as("user:ada");
    const bytes = randomBytes((1 << 20) + 1);
    const { uploadId } = await artifacts.startUpload({ sha256: digestOf(bytes), sizeBytes: BigInt(bytes.length) });
    const error = await refusal(artifacts.writeUpload(chunksOf(bytes, uploadId, 0, 2 << 20)));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", field: "chunk" });
  });

  it("belongs to whoever started it", async () => {
    const bytes = randomBytes(1000);
    const request = { sha256: digestOf(bytes), sizeBytes: 1000n };
    const { uploadId } = await registry.as("user:ada").artifacts.startUpload(request);
    const stolen = await refusal(registry.as("user:bob").artifacts.writeUpload(chunksOf(randomBytes(1000), uploadId)));
    expect(stolen).toMatchObject({ code: "NOT_FOUND", reason: "UPLOAD_NOT_FOUND" });
    expect((await registry.as("user:bob").artifacts.startUpload(request)).uploadId).not.toBe(uploadId);
  });

  it("needs the right to make something of it", async () => {
    const request = { sha256: Buffer.alloc(32, 3), sizeBytes: 10n };
    const seen = await refusal(registry.as("user:eve").artifacts.startUpload(request));
    expect(seen).toMatchObject({ code: "PERMISSION_DENIED" });
    const unseen = await refusal(registry.as("user:eve").artifacts.startUpload({ ...request, project: "nowhere" }));
    expect(unseen).toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("an artifact", () => {
  it("of a model is read by whoever may read the model, and by the services that place and train it", async () => {
    const ada = registry.as("user:ada");
    await ada.models.createModel({ name: "shared" });
    const version = await push(ada, "shared", { "model.onnx": echoModel("FP32") });
    const sha256 = version.files[0]?.sha256 as Uint8Array;
    for (const reader of [ada, registry.as("user:bob"), registry.service("scheduler"), registry.service("trainer")]) {
      expect(await read(reader, sha256)).toEqual(Buffer.from(echoModel("FP32")));
    }
    const eve = await refusal(read(registry.as("user:eve"), sha256));
    const absent = await refusal(read(registry.as("user:eve"), Buffer.alloc(32, 5)));
    expect(eve).toMatchObject({ code: "NOT_FOUND", reason: absent.reason, remedy: absent.remedy });
    expect(eve.message.length).toBe(absent.message.length);
    expect(await refusal(read(registry.service("router"), sha256))).toMatchObject({ code: "NOT_FOUND" });
  });

  it("is read by a node by what a scheduler granted, and by nothing else", async () => {
    const ada = registry.as("user:ada");
    await ada.models.createModel({ name: "assigned" });
    const version = await push(ada, "assigned", { "model.onnx": mlpModel({ layers: [4, 2], seed: 7 }) });
    const other = await upload(ada, randomBytes(100));
    const sha256 = version.files[0]?.sha256 as Uint8Array;
    const facts = { project: "default", model: "assigned", version: 1n, sha256: [sha256] };
    const granted = (role: string, changed: { node?: string; atMs?: number } = {}) =>
      signReadGrant(registry.identity(role), { ...facts, node: changed.node }, changed.atMs ?? Date.now());
    const node = registry.service("inference");
    expect(await read(node, sha256, { grant: granted("scheduler") })).toEqual(
      Buffer.from(mlpModel({ layers: [4, 2], seed: 7 })),
    );
    const hour = 3_600_000;
    for (const [digest, grant, reason] of [
      [sha256, undefined, "GRANT_MISSING"],
      [other, granted("scheduler"), "NOT_ASSIGNED"],
      [sha256, granted("scheduler", { node: "elsewhere" }), "OTHER_NODE"],
      [sha256, granted("scheduler", { atMs: Date.now() - hour }), "GRANT_ENDED"],
      [sha256, granted("scheduler", { atMs: Date.now() + hour }), "GRANT_ENDED"],
      [sha256, granted("trainer"), "GRANT_FORGED"],
      [sha256, granted("inference"), "GRANT_FORGED"],
      [sha256, { ...granted("scheduler"), body: granted("scheduler", { node: "x" }).body }, "GRANT_FORGED"],
    ] as const) {
      expect(await refusal(read(node, digest, grant === undefined ? {} : { grant }))).toMatchObject({
        code: "PERMISSION_DENIED",
        reason,
      });
    }
    const absent = { ...facts, sha256: [Buffer.alloc(32, 9)], node: undefined };
    const forAbsent = signReadGrant(registry.identity("scheduler"), absent, Date.now());
    expect(await refusal(read(node, Buffer.alloc(32, 9), { grant: forAbsent }))).toMatchObject({ code: "NOT_FOUND" });
    for (const ask of [node.models.listModels({}), node.projects.listProjects({}), node.datasets.listDatasets({})]) {
      expect(await refusal(ask)).toMatchObject({ code: "PERMISSION_DENIED", reason: "SERVICE_ROLE" });
    }
  });

  it("that is a version's code is read by whoever may read the version's files", async () => {
    const script = Buffer.from(`print("${randomBytes(8).toString("hex")}")`);
    const ada = registry.as("user:ada");
    const sha256 = await upload(ada, script);
    await ada.models.createModel({ name: "scripted" });
    const files = [{ path: "model.onnx", sha256: await upload(ada, tinyModel()) }];
    const lineage = { howJson: '["python","train.py"]', featurePlanJson: '{"columns":[]}' };
    const request = { model: "scripted", files, lineage: { ...lineage, code: [{ path: "src/train.py", sha256 }] } };
    const { version } = await ada.models.createVersion(request, { timeoutMs: 60_000 });
    expect(version?.lineage).toMatchObject({
      ...lineage,
      code: [{ path: "src/train.py", sha256, sizeBytes: BigInt(script.length) }],
    });
    expect(version?.files.map((file) => file.path)).toEqual(["model.onnx"]);
    expect(await read(registry.as("user:bob"), sha256)).toEqual(script);
    const stranger = await refusal(read(registry.as("user:eve"), sha256));
    expect(stranger).toMatchObject({ code: "NOT_FOUND" });
    const { models } = await listServable(registry.service("scheduler"));
    expect(models.find((model) => model.name === "scripted")?.versions[0]?.lineage).toBeUndefined();
    const stolen = {
      ...request,
      lineage: { code: [{ path: "x.py", sha256: createHash("sha256").update("no").digest() }] },
    };
    expect(await refusal(ada.models.createVersion(stolen))).toMatchObject({ code: "NOT_FOUND" });
    const escaped = { ...request, lineage: { code: [{ path: "../x.py", sha256 }] } };
    expect(await refusal(ada.models.createVersion(escaped))).toMatchObject({ field: "lineage.code[0].path" });
    const lying = { ...request, lineage: { code: [{ path: "x.py", sha256, sizeBytes: 1n }] } };
    expect(await refusal(ada.models.createVersion(lying))).toMatchObject({ field: "lineage.code[0].size_bytes" });
  });

  it("is not handed out for other bytes of its size under its digest, in one stream or in two", async () => {
    const bytes = randomBytes(2000);
    const sha256 = await upload(registry.as("user:ada"), bytes);
    const bob = registry.as("user:bob");
    const { uploadId } = await bob.artifacts.startUpload({ sha256, sizeBytes: 2000n });
    const dropped = Promise.withResolvers<void>();
    async function* second() {
      yield { uploadId, offset: 0n, chunk: new Uint8Array() };
      await dropped.promise;
      yield* chunksOf(Buffer.alloc(2000), uploadId);
    }
    const late = refusal(bob.artifacts.writeUpload(second()));
    const lie = bob.artifacts.writeUpload(chunksOf(Buffer.alloc(2000), uploadId));
    expect(await refusal(lie)).toMatchObject({ code: "DATA_LOSS" });
    dropped.resolve();
    expect(await late).toMatchObject({ code: "NOT_FOUND" });
    expect(await refusal(read(bob, sha256))).toMatchObject({ code: "NOT_FOUND" });
  });

  it("is not handed out for its digest: a stranger brings the same bytes first", async () => {
    const bytes = randomBytes(2000);
    const sha256 = await upload(registry.as("user:ada"), bytes);
    const bob = registry.as("user:bob");
    const started = await bob.artifacts.startUpload({ sha256, sizeBytes: 2000n });
    expect(started).toMatchObject({ complete: false, receivedBytes: 0n });
    expect(await refusal(read(bob, sha256))).toMatchObject({ code: "NOT_FOUND" });
    await bob.artifacts.writeUpload(chunksOf(bytes, started.uploadId));
    expect(await read(bob, sha256)).toEqual(bytes);
  });
});
