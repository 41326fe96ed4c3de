import { randomBytes } from "node:crypto";
import { describeWith } from "@aimass/testkit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeArtifacts, planOf, type Storage, segmentBytes } from "./artifact-store.contract.ts";
import type { ArtifactLocation } from "./location.ts";
import { describeRecords } from "./record-store.contract.ts";
import { S3ArtifactStore } from "./s3-artifact-store.ts";
import { type MotoServer, startMoto } from "./testing/moto-server.ts";

const installTimeoutMs = 300_000;

// CI=true is also the leave to install from PyPI.
describeWith("ci", { needs: ["python3", "CI="] }, "moto, an S3 that others wrote:", () => {
  let moto: MotoServer;
  beforeAll(async () => {
    moto = await startMoto(segmentBytes);
  }, installTimeoutMs);
  afterAll(() => moto?.[Symbol.asyncDispose]());

  const locate = async () => ({
    bucket: await moto.makeBucket(),
    prefix: "aimass/",
    endpoint: moto.endpoint,
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
  });

  describeArtifacts("a bucket of moto's", async (): Promise<Storage> => {
    const location = await locate();
    return {
      open: (options = {}) => S3ArtifactStore.open({ location, uploadTtlMs: 1000, segmentBytes, ...options }),
      names: () => moto.keys(location.bucket),
      keptInStepsOf: segmentBytes,
      [Symbol.asyncDispose]: async () => expect(await moto.openMultiparts(location.bucket)).toBe(0),
    };
  });

  describeRecords("a bucket of moto's", async () => {
    const location: ArtifactLocation = { kind: "s3", ...(await locate()) };
    return { location, [Symbol.asyncDispose]: async () => {} };
  });

  it("refuses segments smaller than S3 allows, and keeps neither them nor a multipart upload", async () => {
    const location = await locate();
    await using store = await S3ArtifactStore.open({ location, segmentBytes: segmentBytes - 1 });
    const bytes = randomBytes(2500);
    const { id } = await store.begin(planOf(bytes));
    await store.append(id, 0, bytes);
    await expect(store.finish(id)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(await moto.openMultiparts(location.bucket)).toBe(0);
    expect(await store.has(planOf(bytes).sha256)).toBeUndefined();
  });
});
