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
