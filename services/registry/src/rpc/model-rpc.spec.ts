import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Effect, Level } from "@aimass/api/auth";
import { ColumnKind, ColumnMeaningSchema, ReviewDecision, VersionState } from "@aimass/api/registry";
import type { AimassError } from "@aimass/core";
import { crashModel, echoModel, externalDataModel, slowModel, softmaxModel, tinyModel } from "@aimass/onnx/samples";
import { refusal } from "@aimass/testkit";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { push, startTestRegistry, type TestRegistry, upload } from "../testing/test-registry.ts";

const grants = [
  { subject: "user:ada", resource: "default", level: Level.MANAGE },
  { subject: "user:bob", resource: "default", level: Level.MANAGE },
  { subject: "user:ada", resource: "strict", level: Level.MANAGE },
  { subject: "user:bob", resource: "strict", level: Level.MANAGE },
  { subject: "user:eve", resource: "default", level: Level.VIEW },
  { subject: "user:eve", resource: "default.secret", level: Level.VIEW, effect: Effect.DENY },
];

let registry: TestRegistry;

beforeAll(async () => {
  registry = await startTestRegistry({ grants, env: { AIMASS_PROBE_TIMEOUT_MS: "20000" } });
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
});

async function newModel(name: string, project = ""): Promise<string> {
  await registry.as("user:ada").models.createModel({ name, project });
  return name;
}

describe("projects", () => {
  it("begin with one that is called default", async () => {
    const { projects } = await registry.as("user:ada").projects.listProjects({});
    expect(projects.map((project) => project.name)).toContain("default");
  });

  it("are made by who may, once, under a plain name", async () => {
    const root = registry.as("user:root").projects;
    await root.createProject({ project: { name: "strict", reviewRequired: true } });
    expect(await refusal(root.createProject({ project: { name: "strict" } }))).toMatchObject({
      code: "ALREADY_EXISTS",
    });
    expect(await refusal(root.createProject({ project: { name: "No" } }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    const ada = registry.as("user:ada").projects;
    expect(await refusal(ada.createProject({ project: { name: "mine" } }))).toMatchObject({
      code: "PERMISSION_DENIED",
    });
    const seen = await registry.as("user:eve").projects.listProjects({});
    expect(seen.projects.map((project) => project.name)).toEqual(["default"]);
  });
});

describe("a model", () => {
  it("is made, listed and found, once under its name", async () => {
    const { models } = registry.as("user:ada");
    const { model } = await models.createModel({ name: "plain", description: "x", labels: { team: "risk" } });
    expect(model).toMatchObject({ project: "default", name: "plain", labels: { team: "risk" }, createdBy: "user:ada" });
    expect(await refusal(models.createModel({ name: "plain" }))).toMatchObject({ code: "ALREADY_EXISTS" });
    expect((await models.createModel({ name: "plain", allowExisting: true })).model?.description).toBe("x");
    expect((await models.listModels({})).models.map((m) => m.name)).toContain("plain");
    expect(await refusal(models.createModel({ name: "a.b" }))).toMatchObject({
      code: "INVALID_ARGUMENT",
      field: "name",
    });
    expect(await refusal(models.createModel({ name: "x", project: "nowhere" }))).toMatchObject({ code: "NOT_FOUND" });
  });

  it("that is hidden looks like one that does not exist", async () => {
    await newModel("secret");
    const eve = registry.as("user:eve");
    const known = (error: AimassError, name: string) => ({
      code: error.code,
      message: error.message.replaceAll(name, "NAME"),
      reason: error.reason,
      remedy: error.remedy,
      field: error.field,
    });
    for (const call of [
      (name: string) => eve.models.getModel({ name }),
      (name: string) => eve.models.deleteModel({ name }),
      (name: string) => eve.models.getVersion({ model: name, version: "1" }),
      (name: string) => eve.models.listVersions({ model: name }),
      (name: string) => eve.models.createVersion({ model: name }),
      (name: string) => eve.aliases.moveAlias({ model: name, alias: "live", version: 1n }),
      (name: string) => eve.aliases.listAliasMoves({ model: name }),
    ]) {
      const hidden = known(await refusal(call("secret")), "secret");
      expect(hidden).toEqual(known(await refusal(call("absent")), "absent"));
      expect(hidden.code).toBe("NOT_FOUND");
    }
    expect((await eve.models.listModels({})).models.map((model) => model.name)).not.toContain("secret");
  });

  it("that may be seen but not changed says so", async () => {
    const error = await refusal(registry.as("user:eve").models.deleteModel({ name: "plain" }));
    expect(error).toMatchObject({ code: "PERMISSION_DENIED", reason: "ACCESS_DENIED" });
  });

  it("is not shown to strangers without a credential", async () => {
    expect(await refusal(registry.service("router").models.getModel({ name: "plain" }))).toMatchObject({
      code: "NOT_FOUND",
    });
  });
});

describe("a version", () => {
  it("is tried before it is registered, and says what goes in and out", async () => {
    const ada = registry.as("user:ada");
    await newModel("fraud");
    const version = await push(ada, "fraud", { "model.onnx": tinyModel() }, { metrics: { r2: 0.9 } });
    expect(version).toMatchObject({
      version: 1n,
      state: VersionState.READY,
      createdBy: "user:ada",
      metrics: { r2: 0.9 },
    });
    expect(version.signature?.inputs).toMatchObject([{ name: "x", datatype: "FP32", shape: [-1n, 4n] }]);
    expect(version.signature?.batchable).toBe(true);
    expect(version.files).toMatchObject([{ path: "model.onnx", sizeBytes: BigInt(tinyModel().length) }]);
    expect((await ada.models.getVersion({ model: "fraud", version: "1" })).version).toEqual(version);
    expect((await ada.models.getVersion({ model: "fraud" })).version?.version).toBe(1n);
    expect(await refusal(ada.models.getVersion({ model: "fraud", version: "7" }))).toMatchObject({ code: "NOT_FOUND" });
  });

  it("pushed twice with one key is one version; the key with other files is refused", async () => {
    const ada = registry.as("user:ada");
    await newModel("repeat");
    const key = { idempotencyKey: "push-1" };
    const both = await Promise.all([
      push(ada, "repeat", { "model.onnx": tinyModel() }, key),
      push(ada, "repeat", { "model.onnx": tinyModel() }, key),
    ]);
    expect(both.map((version) => version.version)).toEqual([1n, 1n]);
    expect((await push(ada, "repeat", { "model.onnx": tinyModel() }, key)).version).toBe(1n);
    const other = await refusal(push(ada, "repeat", { "model.onnx": tinyModel(2) }, key));
    expect(other).toMatchObject({ code: "INVALID_ARGUMENT", reason: "IDEMPOTENCY_KEY_REUSED" });
  });

  it("is numbered without gaps by many at once, refusals among them", async () => {
    const ada = registry.as("user:ada");
    await newModel("crowd");
    const pushes = [1, 2, 3, 4, 5].map((seed) => push(ada, "crowd", { "model.onnx": tinyModel(seed) }));
    const broken = refusal(push(ada, "crowd", { "model.onnx": Buffer.from("not a model") }));
    const versions = await Promise.all(pushes);
    expect(await broken).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(versions.map((version) => Number(version.version)).sort()).toEqual([1, 2, 3, 4, 5]);
    const listed = await ada.models.listVersions({ model: "crowd", page: { size: 2 } });
    expect(listed.versions.map((version) => version.version)).toEqual([5n, 4n]);
    const rest = await ada.models.listVersions({
      model: "crowd",
      page: { size: 9, token: listed.page?.nextToken ?? "" },
    });
    expect(rest.versions.map((version) => version.version)).toEqual([3n, 2n, 1n]);
  });

  it("whose weights are in a second file inside the bundle works", async () => {
    const { model, files } = externalDataModel();
    await newModel("weights");
    const version = await push(registry.as("user:ada"), "weights", {
      "model.onnx": model,
      ...Object.fromEntries(files),
    });
    expect(version.files.map((file) => file.path)).toEqual(["model.onnx", "weights/layer.bin"]);
  });

  it.each([
    ["is no ONNX file", () => ({ "model.onnx": Buffer.from("hello") }), "INVALID_ARGUMENT"],
    ["crashes the runtime", () => ({ "model.onnx": crashModel() }), "FAILED_PRECONDITION"],
    [
      "reads outside of the bundle",
      () => ({ "model.onnx": externalDataModel("../../trust.json").model }),
      "INVALID_ARGUMENT",
    ],
    ["reads a file the bundle lacks", () => ({ "model.onnx": externalDataModel().model }), "INVALID_ARGUMENT"],
    [
      "has a model.yaml that is wrong",
      () => ({ "model.onnx": tinyModel(), "model.yaml": Buffer.from("serving: 3") }),
      "INVALID_ARGUMENT",
    ],
    [
      "names an output that is not there",
      () => ({ "model.onnx": tinyModel(), "model.yaml": Buffer.from("outputs: [{name: z, labels: [a]}]") }),
      "INVALID_ARGUMENT",
    ],
    [
      "gives a column of an input that is not there a meaning",
      () => ({ "model.onnx": tinyModel(), "model.yaml": Buffer.from("columns: {age: {kind: number}}") }),
      "INVALID_ARGUMENT",
    ],
    [
      "calls a column of numbers text",
      () => ({ "model.onnx": tinyModel(), "model.yaml": Buffer.from("columns: {x: {kind: text}}") }),
      "INVALID_ARGUMENT",
    ],
  ])("that %s is refused and leaves nothing behind", async (what, bundle, code) => {
    const name = await newModel(`bad-${what.replaceAll(/\W/g, "-")}`);
    const ada = registry.as("user:ada");
    const error = await refusal(push(ada, name, bundle()));
    expect(error.code).toBe(code);
    expect(error.message).not.toContain(registry.directory);
    expect((await ada.models.listVersions({ model: name })).versions).toEqual([]);
    expect((await ada.models.getModel({ name })).model?.newestVersion).toBe(0n);
    expect(await readdir(join(registry.directory, "state", "inspections"))).toEqual([]);
    expect((await push(ada, name, { "model.onnx": tinyModel() })).version).toBe(1n);
  });

  it("of files nobody uploaded, or that someone else hides, is refused alike", async () => {
    await newModel("hidden-file", "strict");
    await newModel("thief");
    const hidden = await upload(registry.as("user:ada"), echoModel("FP64"), "strict");
    registry.grant([...grants, { subject: "user:eve", resource: "default.thief", level: Level.EDIT }]);
    const eve = registry.as("user:eve").models;
    const make = (sha256: Uint8Array) => eve.createVersion({ model: "thief", files: [{ path: "model.onnx", sha256 }] });
    const stolen = await refusal(make(hidden));
    const missing = await refusal(make(Buffer.alloc(32, 1)));
    registry.grant(grants);
    expect(stolen.code).toBe("NOT_FOUND");
    expect(stolen.message.replace(hidden.toString("hex"), "")).toBe(missing.message.replace("01".repeat(32), ""));
  });

  it("takes from model.yaml what the request leaves empty", async () => {
    await newModel("manifest");
    const yaml = `description: From the bundle.
labels: { team: risk }
serving: { max_batch_size: 8 }
outputs: [{ name: scores, labels: [red, green, blue] }]`;
    const files = { "model.onnx": softmaxModel(), "model.yaml": Buffer.from(yaml) };
    const ada = registry.as("user:ada");
    const plain = await push(ada, "manifest", files);
    expect(plain).toMatchObject({
      description: "From the bundle.",
      labels: { team: "risk" },
      serving: { maxBatchSize: 8 },
    });
    expect(plain.signature?.outputs[0]?.labels).toEqual(["red", "green", "blue"]);
    expect((await push(ada, "manifest", files, { description: "Mine." })).description).toBe("Mine.");
  });

  it("says what the cells of its columns mean, in the request or in model.yaml", async () => {
    await newModel("columns");
    const yaml = `columns:
  x: { kind: boolean, missing: [NA, -1], true_words: [J], false_words: [N], unit: "1" }`;
    const files = { "model.onnx": tinyModel(), "model.yaml": Buffer.from(yaml) };
    const ada = registry.as("user:ada");
    const { version } = await push(ada, "columns", files);
    const got = await ada.models.getVersion({ model: "columns", version: String(version) });
    expect(got.version?.signature?.inputs[0]?.column).toMatchObject({
      kind: ColumnKind.BOOLEAN,
      missing: ["NA", "-1"],
      trueWords: ["J"],
      falseWords: ["N"],
      unit: "1",
    });
    const columns = { x: create(ColumnMeaningSchema, { kind: ColumnKind.DATE, datePattern: "DD.MM.YYYY" }) };
    const own = await push(ada, "columns", files, { columns });
    const day = { kind: ColumnKind.DATE, missing: [], datePattern: "DD.MM.YYYY" };
    expect(own.signature?.inputs[0]?.column).toMatchObject(day);
    const byHand = {
      "model.onnx": tinyModel(),
      "model.yaml": Buffer.from("columns: {x: {kind: date, dates: DD.MM.YYYY}}"),
    };
    expect((await push(ada, "columns", byHand)).signature?.inputs[0]?.column).toMatchObject(day);
  });

  it.each([
    ["a name that is no input", { y: {} }, /no input "y".*Its inputs are x/],
    ["more words than anybody needs", { x: { missing: Array.from({ length: 201 }, (_, i) => `w${i}`) } }, /201 words/],
    ["a word without end", { x: { trueWords: ["x".repeat(201)] } }, /too long/],
    ["a unit without end", { x: { unit: "x".repeat(65) } }, /unit is too long/],
    ["more categories than are kept", { x: { categories: new Array(1001).fill("a") } }, /1001 words/],
    ["dates of no pattern", { x: { kind: ColumnKind.DATE, datePattern: "DD.DD" } }, /"DD.DD" is no pattern of dates/],
    ["a word for both", { x: { trueWords: ["J"], falseWords: ["J"] } }, /both true and false/],
    [
      "a kind of another type",
      { x: { kind: ColumnKind.CATEGORY } },
      /FP32, but its column is said to be of kind category/,
    ],
  ] as const)("is refused with %s", async (_, given, says) => {
    const columns = Object.fromEntries(
      Object.entries(given).map(([name, column]) => [name, create(ColumnMeaningSchema, column as object)]),
    );
    const model = "bad-columns";
    const ada = registry.as("user:ada");
    await ada.models.createModel({ name: model, allowExisting: true });
    const error = await refusal(push(ada, model, { "model.onnx": tinyModel() }, { columns }));
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.advice).toMatch(says);
  });

  it("is made although its caller goes", async () => {
    await newModel("orphan");
    const ada = registry.as("user:ada");
    const sha256 = await upload(ada, slowModel());
    const controller = new AbortController();
    const call = ada.models.createVersion(
      { model: "orphan", files: [{ path: "model.onnx", sha256 }] },
      { signal: controller.signal },
    );
    setTimeout(() => controller.abort(), 100);
    expect((await refusal(call)).code).toBe("CANCELLED");
    await expect
      .poll(async () => (await ada.models.getModel({ name: "orphan" })).model?.newestVersion, { timeout: 60_000 })
      .toBe(1n);
  });

  it("made by the trainer for someone is theirs, and decided by what they may", async () => {
    await newModel("trained");
    const trainer = registry.service("trainer", "user:ada");
    expect((await push(trainer, "trained", { "model.onnx": tinyModel() })).createdBy).toBe("user:ada");
    const forEve = registry.service("trainer", "user:eve").models.createVersion({ model: "trained" });
    expect(await refusal(forEve)).toMatchObject({ code: "PERMISSION_DENIED" });
    const replica = registry.service("inference", "user:ada").models.createVersion({ model: "trained" });
    expect(await refusal(replica)).toMatchObject({ code: "PERMISSION_DENIED", reason: "SERVICE_ROLE" });
  });
});

describe("two versions", () => {
  it("are compared by signature, metrics and files", async () => {
    await newModel("pair");
    const ada = registry.as("user:ada");
    await push(ada, "pair", { "model.onnx": tinyModel() }, { metrics: { r2: 0.5 } });
    await push(ada, "pair", { "model.onnx": tinyModel(5) }, { metrics: { r2: 0.6 } });
    await push(ada, "pair", { "model.onnx": echoModel("INT64") });
    const near = await ada.models.diffVersions({ model: "pair", left: "1", right: "2" });
    expect(near.compatible).toBe(true);
    expect(near.differences).toEqual(["metric r2: 0.5 → 0.6", expect.stringMatching(/^file model\.onnx: /)]);
    const far = await ada.models.diffVersions({ model: "pair", left: "1", right: "3" });
    expect(far.compatible).toBe(false);
    expect(far.differences[0]).toBe("input x: FP32[-1,4] → INT64[-1]");
  });
});

describe("a review", () => {
  it("stands between a version and its use, and nobody approves their own", async () => {
    await newModel("careful", "strict");
    const [ada, bob] = [registry.as("user:ada"), registry.as("user:bob")];
    const name = { project: "strict", model: "careful" };
    const version = await push(ada, "careful", { "model.onnx": tinyModel() }, { project: "strict" });
    expect(version.state).toBe(VersionState.VALIDATED);
    const approve = { ...name, version: 1n, decision: ReviewDecision.APPROVE, comment: "good" };
    expect(await refusal(bob.models.decideReview(approve))).toMatchObject({ code: "FAILED_PRECONDITION" });
    const early = ada.aliases.moveAlias({ ...name, alias: "live", version: 1n });
    expect(await refusal(early)).toMatchObject({ code: "FAILED_PRECONDITION", reason: "VERSION_STATE" });

    for (const _ of [1, 2]) {
      const asked = await ada.models.requestReview({ ...name, version: 1n, comment: "please" });
      expect(asked.version?.state).toBe(VersionState.IN_REVIEW);
    }
    expect(await refusal(ada.models.decideReview(approve))).toMatchObject({
      code: "PERMISSION_DENIED",
      reason: "OWN_VERSION",
    });
    expect((await bob.models.decideReview(approve)).version?.state).toBe(VersionState.READY);
  });

  it("is not approved by whoever asked for it either, and a refusal says why", async () => {
    const [ada, bob] = [registry.as("user:ada"), registry.as("user:bob")];
    const name = { project: "strict", model: "careful" };
    const { version } = await push(ada, "careful", { "model.onnx": tinyModel(3) }, { project: "strict" });
    await bob.models.requestReview({ ...name, version });
    const decide = { ...name, version, decision: ReviewDecision.APPROVE };
    expect(await refusal(bob.models.decideReview(decide))).toMatchObject({ reason: "OWN_VERSION" });
    const root = registry.as("user:root").models;
    const refused = await root.decideReview({ ...decide, decision: ReviewDecision.REFUSE, comment: "too old" });
    expect(refused.version).toMatchObject({ state: VersionState.REFUSED, stateReason: "too old" });
    expect(await refusal(root.decideReview(decide))).toMatchObject({ code: "FAILED_PRECONDITION" });
  });
});

describe("the end", () => {
  it("of a version waits until no alias points at it, and is final", async () => {
    await newModel("old");
    const ada = registry.as("user:ada");
    await push(ada, "old", { "model.onnx": tinyModel() });
    await ada.aliases.moveAlias({ model: "old", alias: "live", version: 1n });
    const early = ada.models.retireVersion({ model: "old", version: 1n });
    expect(await refusal(early)).toMatchObject({ code: "FAILED_PRECONDITION", reason: "ALIAS_POINTS_HERE" });
    await ada.aliases.deleteAlias({ model: "old", alias: "live" });
    for (const _ of [1, 2]) {
      const { version } = await ada.models.retireVersion({ model: "old", version: 1n });
      expect(version?.state).toBe(VersionState.RETIRED);
    }
    expect(await refusal(ada.models.getVersion({ model: "old" }))).toMatchObject({ code: "NOT_FOUND" });
  });

  it("of a model spends its numbers, so that a new model of the name never reuses them", async () => {
    await newModel("phoenix");
    const ada = registry.as("user:ada");
    await push(ada, "phoenix", { "model.onnx": tinyModel() });
    await ada.aliases.moveAlias({ model: "phoenix", alias: "live", version: 1n });
    const early = ada.models.deleteModel({ name: "phoenix" });
    expect(await refusal(early)).toMatchObject({ code: "FAILED_PRECONDITION", reason: "ALIAS_POINTS_HERE" });
    await ada.aliases.deleteAlias({ model: "phoenix", alias: "live" });
    await ada.models.deleteModel({ name: "phoenix" });
    expect(await refusal(ada.models.getModel({ name: "phoenix" }))).toMatchObject({ code: "NOT_FOUND" });
    const { model } = await ada.models.createModel({ name: "phoenix", description: "again" });
    expect(model).toMatchObject({ newestVersion: 0n, description: "again" });
    expect((await push(ada, "phoenix", { "model.onnx": tinyModel() })).version).toBe(2n);
  });
});
