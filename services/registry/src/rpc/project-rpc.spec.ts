import { Level } from "@aimass/api/auth";
import type { Event } from "@aimass/api/events";
import { ReviewDecision, VersionState } from "@aimass/api/registry";
import { systemClock } from "@aimass/core";
import { openEventBus } from "@aimass/events";
import { tinyModel } from "@aimass/onnx/samples";
import { openStore } from "@aimass/store";
import { silentTelemetry } from "@aimass/telemetry";
import { refusal } from "@aimass/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { push, startTestRegistry, type TestRegistry } from "../testing/test-registry.ts";

const grants = [
  { subject: "user:ada", resource: "default", level: Level.MANAGE },
  { subject: "user:bob", resource: "default", level: Level.DEPLOY },
  { subject: "user:root", resource: "race", level: Level.MANAGE },
];

let registry: TestRegistry;

beforeAll(async () => {
  registry = await startTestRegistry({ grants });
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
});

const setReview = (reviewRequired: boolean) =>
  registry.as("user:ada").projects.updateProject({ name: "default", reviewRequired });

async function newModel(name: string, versions: number): Promise<string> {
  const ada = registry.as("user:ada");
  await ada.models.createModel({ name });
  for (let seed = 1; seed <= versions; seed++) await push(ada, name, { "model.onnx": tinyModel(seed) });
  return name;
}

describe("a review that a project comes to require", () => {
  const move = (model: string, version: bigint) =>
    registry.as("user:ada").aliases.moveAlias({ model, alias: "live", version });

  it("holds for the next move of an alias, to a version from before too; what serves stays, and may be gone back to", async () => {
    const model = await newModel("early", 3);
    const [ada, bob] = [registry.as("user:ada"), registry.as("user:bob")];
    await move(model, 1n);
    await setReview(true);
    expect(await refusal(move(model, 2n))).toMatchObject({ code: "FAILED_PRECONDITION", reason: "REVIEW_REQUIRED" });
    await move(model, 1n);
    const served = ada.models.requestReview({ model, version: 1n });
    expect(await refusal(served)).toMatchObject({ code: "FAILED_PRECONDITION", reason: "ALIAS_POINTS_HERE" });

    const { version } = await ada.models.requestReview({ model, version: 2n });
    expect(version?.state).toBe(VersionState.IN_REVIEW);
    const decision = { model, version: 2n, decision: ReviewDecision.APPROVE };
    expect(await refusal(ada.models.decideReview(decision))).toMatchObject({ reason: "OWN_VERSION" });
    await bob.models.decideReview(decision);
    await move(model, 2n);
    const approved = ada.models.requestReview({ model, version: 2n });
    expect(await refusal(approved)).toMatchObject({ code: "FAILED_PRECONDITION", reason: "VERSION_STATE" });
    await ada.aliases.rollbackAlias({ model, alias: "live" });
    const { state } = await push(ada, model, { "model.onnx": tinyModel(9) });
    expect(state).toBe(VersionState.VALIDATED);
    await setReview(false);
    const needless = bob.models.decideReview({ model, version: 1n, decision: ReviewDecision.APPROVE });
    expect((await refusal(needless)).remedy).toMatch(/project wants no review of versions/);
    await move(model, 3n);
    expect(await refusal(move(model, 4n))).toMatchObject({ code: "FAILED_PRECONDITION", reason: "VERSION_STATE" });
  });

  it("is asked for of no version of a project without it", async () => {
    const model = await newModel("free", 1);
    const asked = registry.as("user:ada").models.requestReview({ model, version: 1n });
    expect(await refusal(asked)).toMatchObject({ code: "FAILED_PRECONDITION", reason: "VERSION_STATE" });
  });
});

describe("a change of a project", () => {
  it("is for who may manage it, and leaves what it does not name", async () => {
    const { projects } = registry.as("user:ada");
    await projects.updateProject({ name: "default", reviewRequired: true });
    const { project } = await projects.updateProject({ name: "default", description: "Ours." });
    expect(project).toMatchObject({ description: "Ours.", reviewRequired: true });
    expect((await projects.listProjects({})).projects).toContainEqual(project);
    await setReview(false);
    const bob = registry.as("user:bob").projects.updateProject({ name: "default", reviewRequired: true });
    expect(await refusal(bob)).toMatchObject({ code: "PERMISSION_DENIED" });
    for (const [who, name] of [
      ["user:eve", "default"],
      ["user:ada", "absent"],
    ] as const) {
      expect(await refusal(registry.as(who).projects.updateProject({ name }))).toMatchObject({
        code: "NOT_FOUND",
        message: `There is no project "${name}".`,
      });
    }
    const endless = projects.updateProject({ name: "default", description: "x".repeat(20_000) });
    expect(await refusal(endless)).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("is told to the ledger with who and what, once", async () => {
    const events: Event[] = [];
    const url = registry.databaseUrl;
    await using store = await openStore({ url, schema: "listener", migrations: [] });
    await using bus = await openEventBus({
      identity: registry.identity("trainer"),
      store,
      databaseUrl: url,
      clock: systemClock,
      telemetry: silentTelemetry(),
    });
    const ended = new AbortController();
    const handle = async (event: Event) => {
      if (event.payload.case === "projectChanged" && event.actor === "user:root") events.push(event);
    };
    await bus.subscribe({ consumer: "project-spec", signal: ended.signal, handle });
    const { projects } = registry.as("user:root");
    for (const reviewRequired of [true, true, false]) await projects.updateProject({ reviewRequired });
    await expect.poll(() => events.length, { timeout: 10_000 }).toBe(2);
    ended.abort();
    expect(events.map(({ actor, audited, resource, payload }) => [actor, audited, resource, payload.value])).toEqual([
      ["user:root", true, "default", expect.objectContaining({ detail: "reviews are required" })],
      ["user:root", true, "default", expect.objectContaining({ detail: "reviews are no longer required" })],
    ]);
  });
});

describe("a project that is deleted", () => {
  const projects = () => registry.as("user:root").projects;

  it("lets nothing in that came at the same time, and begins anew with version numbers that go on", async () => {
    const root = registry.as("user:root");
    for (let round = 1; round <= 5; round++) {
      await projects().createProject({ project: { name: "race" } });
      const [made, gone] = await Promise.allSettled([
        root.models.createModel({ project: "race", name: `m${round}` }),
        projects().deleteProject({ name: "race" }),
      ]);
      expect([made.status, gone.status].sort()).toEqual(["fulfilled", "rejected"]);
      if (made.status === "fulfilled") {
        await root.models.deleteModel({ project: "race", name: `m${round}` });
        await projects().deleteProject({ name: "race" });
      }
    }
    await projects().createProject({ project: { name: "race", description: "Again." } });
    expect((await projects().getProject({ name: "race" })).project?.description).toBe("Again.");
    const twice = projects().createProject({ project: { name: "race" } });
    expect(await refusal(twice)).toMatchObject({ code: "ALREADY_EXISTS" });
  });

  it("is for who may manage it, and hidden from who sees nothing in it", async () => {
    const bob = registry.as("user:bob").projects;
    expect((await bob.getProject({})).project?.name).toBe("default");
    expect(await refusal(bob.deleteProject({ name: "default", validateOnly: true }))).toMatchObject({
      code: "PERMISSION_DENIED",
    });
    const eve = registry.as("user:eve").projects;
    const judged = () => eve.deleteProject({ name: "default", validateOnly: true });
    for (const hidden of [() => eve.getProject({}), judged])
      expect(await refusal(hidden())).toMatchObject({ code: "NOT_FOUND", message: 'There is no project "default".' });
  });
});

describe("what a model says", () => {
  it("is changed by who may add versions, as it was read where they say how, and leaves what is not named", async () => {
    const ada = registry.as("user:ada").models;
    const model = await newModel("told", 0);
    const before = (await ada.getModel({ name: model })).model ?? expect.fail();
    const labels = { team: "red" };
    const { model: changed } = await ada.updateModel({ name: model, description: "Good.", etag: before.etag });
    expect(changed).toMatchObject({ description: "Good.", labels: {} });
    const labelled = (await ada.updateModel({ name: model, labels, setLabels: true, etag: changed?.etag ?? "" })).model;
    expect(labelled).toMatchObject({ description: "Good.", labels });
    expect((await ada.getModel({ name: model })).model).toEqual(labelled);
    const stale = ada.updateModel({ name: model, description: "Mine.", etag: before.etag });
    expect(await refusal(stale)).toMatchObject({ code: "ABORTED", reason: "ETAG_MISMATCH" });
    const long = ada.updateModel({ name: model, labels: { a: "x".repeat(300) }, setLabels: true });
    expect(await refusal(long)).toMatchObject({ code: "INVALID_ARGUMENT", field: "labels" });
    const absent = ada.updateModel({ name: "absent", description: "" });
    expect(await refusal(absent)).toMatchObject({ code: "NOT_FOUND" });
    const eve = registry.as("user:eve").models.updateModel({ name: model, description: "Hers." });
    expect(await refusal(eve)).toMatchObject({ code: "NOT_FOUND" });
  });
});
