import { Effect, Level } from "@aimass/api/auth";
import { DatasetFormat } from "@aimass/api/registry";
import { AimassError, systemClock } from "@aimass/core";
import { echoModel, tinyModel } from "@aimass/onnx/samples";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  type Clients,
  push,
  startTestRegistry,
  type TestGrant,
  type TestRegistry,
  upload,
} from "../testing/test-registry.ts";

/** The machine's clock, moved ahead at will. */
let aheadMs = 0;
const clock = { ...systemClock, now: () => Date.now() + aheadMs };
const hourMs = 3_600_000;
const edit = (subject: string, resource = "default"): TestGrant => ({ subject, resource, level: Level.EDIT });
const deny = (subject: string, resource: string): TestGrant => ({
  subject,
  resource,
  level: Level.EDIT,
  effect: Effect.DENY,
});
const usual = [
  edit("user:ada"),
  edit("user:eve"),
  deny("user:eve", "default.secret"),
  deny("user:eve", "default.patients"),
];

let registry: TestRegistry;
beforeAll(async () => {
  registry = await startTestRegistry({ grants: usual, clock });
});
beforeEach(() => registry.grant(usual));
afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
});

const refusal = async (call: Promise<unknown>): Promise<AimassError> => {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AimassError);
  return error as AimassError;
};
const read = async (clients: Clients, sha256: Uint8Array) => {
  let size = 0;
  for await (const { chunk } of clients.artifacts.readArtifact({ sha256 })) size += chunk.length;
  return size;
};

describe("an artifact", () => {
  it("is not read by whoever only named it, once the right it was named by is gone", async () => {
    const bytes = tinyModel(7);
    await registry.as("user:ada").models.createModel({ name: "named" });
    await push(registry.as("user:ada"), "named", { "model.onnx": bytes });
    const bob = registry.as("user:bob");
    registry.grant([...usual, edit("user:bob")]);
    const sha256 = await upload(bob, bytes);
    const again = await bob.artifacts.startUpload({ sha256, sizeBytes: BigInt(bytes.length) });
    expect(again.complete).toBe(true);
    expect(await read(bob, sha256)).toBe(bytes.length);
    registry.grant(usual);
    expect(await refusal(read(bob, sha256))).toMatchObject({ code: "NOT_FOUND" });
  });

  it("is read by whoever uploaded it as long as they may upload there, and for a day", async () => {
    const bytes = Buffer.from("some bytes that nothing refers to");
    const ada = registry.as("user:ada");
    const sha256 = await upload(ada, bytes);
    expect(await read(ada, sha256)).toBe(bytes.length);
    registry.grant([{ subject: "user:ada", resource: "default", level: Level.VIEW }]);
    expect(await refusal(read(ada, sha256))).toMatchObject({ code: "NOT_FOUND" });
    registry.grant(usual);
    expect(await read(ada, sha256)).toBe(bytes.length);
    aheadMs += 25 * hourMs;
    expect(await refusal(read(ada, sha256))).toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("a hidden model", () => {
  it("is not shown by making one of its name, and a denied name is refused alike when nothing has it", async () => {
    await registry.as("user:ada").models.createModel({ name: "secret", description: "of the board" });
    const eve = registry.as("user:eve");
    for (const allowExisting of [true, false]) {
      const error = await refusal(eve.models.createModel({ name: "secret", allowExisting }));
      expect(error).toMatchObject({ code: "PERMISSION_DENIED" });
      expect(error.message).not.toMatch(/board|[Gg]rant/);
      registry.grant([...usual, deny("user:eve", "default.absent")]);
      const absent = await refusal(eve.models.createModel({ name: "absent", allowExisting }));
      expect(absent.message.replace("absent", "secret")).toBe(error.message);
    }
  });
});

describe("a deny on a dataset's name", () => {
  it("holds for show, list, preview, download and new versions", async () => {
    const ada = registry.as("user:ada");
    const sha256 = await upload(ada, Buffer.from("name,age\nx,1\ny,2\nz,3\n"));
    await ada.datasets.createDatasetVersion({ dataset: "patients", sha256, format: DatasetFormat.CSV });
    await ada.datasets.previewDataset({ dataset: "patients", rows: 1 });
    aheadMs += 25 * hourMs;
    registry.grant(usual);
    const eve = registry.as("user:eve");
    const known = (error: AimassError) => `${error.code} ${error.message.replace("patients", "absent")}`;
    for (const call of ["getDatasetVersion", "previewDataset"] as const) {
      const hidden = known(await refusal(eve.datasets[call]({ dataset: "patients" })));
      expect(hidden).toBe(known(await refusal(eve.datasets[call]({ dataset: "absent" }))));
      expect(hidden).toMatch(/^NOT_FOUND/);
    }
    expect((await eve.datasets.listDatasets({})).datasets.map(({ dataset }) => dataset)).not.toContain("patients");
    expect(await refusal(read(eve, sha256))).toMatchObject({ code: "NOT_FOUND" });
    const own = await upload(eve, Buffer.from("name,age\nq,1\nr,2\n"));
    const made = eve.datasets.createDatasetVersion({ dataset: "patients", sha256: own, format: DatasetFormat.CSV });
    expect(await refusal(made)).toMatchObject({ code: "PERMISSION_DENIED" });
    expect(await read(ada, sha256)).toBeGreaterThan(0);
  });
});

describe("what an uploader says of a version", () => {
  it("is marked as claimed, and which job made it is not theirs to say", async () => {
    const ada = registry.as("user:ada");
    await ada.models.createModel({ name: "boasted" });
    const claimed = await push(ada, "boasted", { "model.onnx": tinyModel(3) }, { metrics: { accuracy: 0.9999 } });
    expect(claimed.claimed).toBe(true);
    const files = claimed.files.map(({ path, sha256 }) => ({ path, sha256 }));
    const lineage = { jobId: "made-up", recipe: "ridge" };
    const forged = ada.models.createVersion({ model: "boasted", files, lineage });
    expect(await refusal(forged)).toMatchObject({ code: "INVALID_ARGUMENT", field: "lineage.job_id" });
    const trainer = registry.service("trainer", "user:ada");
    const { version } = await trainer.models.createVersion({ model: "boasted", files, lineage });
    expect(version).toMatchObject({ claimed: false, lineage: { jobId: "made-up" } });
    expect((await ada.models.getVersion({ model: "boasted", version: "1" })).version?.claimed).toBe(true);
  });
});

describe("a first version", () => {
  it("makes its model with it, and a refused one makes none", async () => {
    const ada = registry.as("user:ada");
    const of = async (bytes: Uint8Array, model: string) => {
      const files = [{ path: "model.onnx", sha256: await upload(ada, bytes) }];
      return await ada.models.createVersion({ model, files, createModel: true }, { timeoutMs: 60_000 });
    };
    expect(await refusal(of(Buffer.from("no model at all"), "refused"))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await refusal(ada.models.getModel({ name: "refused" }))).toMatchObject({ code: "NOT_FOUND" });
    expect((await of(echoModel("FP32"), "first")).version?.version).toBe(1n);
    expect((await of(echoModel("FP64"), "first")).version?.version).toBe(2n);
    expect((await ada.models.getModel({ name: "first" })).model?.createdBy).toBe("user:ada");
  });

  it("needs the right to make models, and never shows a hidden one", async () => {
    const bob = registry.as("user:bob");
    registry.grant([...usual, edit("user:bob", "default.mine")]);
    const files = [{ path: "model.onnx", sha256: await upload(bob, tinyModel(5)) }];
    const other = bob.models.createVersion({ model: "mine", files, createModel: true });
    expect(await refusal(other)).toMatchObject({ code: "PERMISSION_DENIED" });
    const hidden = registry.as("user:eve").models.createVersion({ model: "secret", files: [], createModel: true });
    expect(await refusal(hidden)).toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("an alias", () => {
  it("is removed only when it points where it is expected to", async () => {
    const ada = registry.as("user:root");
    await ada.models.createModel({ name: "kept" });
    await push(ada, "kept", { "model.onnx": tinyModel(1) });
    await ada.aliases.moveAlias({ model: "kept", alias: "live", version: 1n });
    const remove = (expectedVersion: bigint) =>
      ada.aliases.deleteAlias({ model: "kept", alias: "live", expectedVersion });
    expect(await refusal(remove(7n))).toMatchObject({ code: "ABORTED" });
    expect((await ada.models.getModel({ name: "kept" })).model?.aliases).toHaveLength(1);
    await remove(1n);
    expect((await ada.models.getModel({ name: "kept" })).model?.aliases).toHaveLength(0);
    await remove(0n);
  });
});

describe("a bundle", () => {
  it.each([".ssh/authorized_keys", "sub/.env", "-rf", "sub/--help"])("holds no file %s", async (path) => {
    const ada = registry.as("user:ada");
    const { model } = await ada.models.createModel({ name: "plain", allowExisting: true });
    const made = push(ada, model?.name ?? "", { "model.onnx": tinyModel(1), [path]: Buffer.from("x") });
    expect(await refusal(made)).toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
