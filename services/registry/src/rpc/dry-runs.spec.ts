import { Level } from "@aimass/api/auth";
import { VersionState } from "@aimass/api/registry";
import { tinyModel } from "@aimass/onnx/samples";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Clients, push, startTestRegistry, type TestRegistry } from "../testing/test-registry.ts";

let registry: TestRegistry;
let root: Clients;

beforeAll(async () => {
  registry = await startTestRegistry({
    grants: [
      { subject: "user:root", resource: "default", level: Level.MANAGE },
      { subject: "user:root", resource: "shop", level: Level.MANAGE },
    ],
  });
  root = registry.as("user:root");
  await root.models.createModel({ name: "fraud" });
  for (const seed of [1, 2]) await push(root, "fraud", { "model.onnx": tinyModel(seed) });
  await root.aliases.moveAlias({ model: "fraud", alias: "live", version: 2n });
});
afterAll(() => registry?.[Symbol.asyncDispose]());

it("a dry run of retiring a version says how it would be, refuses what would be refused, and changes nothing", async () => {
  const at = { model: "fraud", validateOnly: true };
  const { version } = await root.models.retireVersion({ ...at, version: 1n });
  expect(version?.state).toBe(VersionState.RETIRED);
  expect((await root.models.getVersion({ model: "fraud", version: "1" })).version?.state).toBe(VersionState.READY);
  const served = root.models.retireVersion({ ...at, version: 2n });
  await expect(served).rejects.toMatchObject({ code: "FAILED_PRECONDITION", reason: "ALIAS_POINTS_HERE" });
});

it("a dry run of deleting a model says which versions go with it, refuses what would be refused, and removes nothing", async () => {
  const refused = root.models.deleteModel({ name: "fraud", validateOnly: true });
  await expect(refused).rejects.toMatchObject({ code: "FAILED_PRECONDITION", reason: "ALIAS_POINTS_HERE" });
  await root.aliases.deleteAlias({ model: "fraud", alias: "live" });
  expect(await root.models.deleteModel({ name: "fraud", validateOnly: true })).toMatchObject({ versions: [1n, 2n] });
  expect((await root.models.listVersions({ model: "fraud" })).versions).toHaveLength(2);
  expect(await root.models.deleteModel({ name: "fraud" })).toMatchObject({ versions: [1n, 2n] });
  await expect(root.models.getModel({ name: "fraud" })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

it("a dry run of deleting a project refuses what would be refused, and removes nothing", async () => {
  const { projects } = root;
  await projects.createProject({ project: { name: "shop", description: "Ours." } });
  await root.models.createModel({ project: "shop", name: "m" });
  for (const validateOnly of [true, false]) {
    const full = projects.deleteProject({ name: "shop", validateOnly });
    await expect(full).rejects.toMatchObject({ code: "FAILED_PRECONDITION", reason: "NOT_EMPTY" });
    const always = projects.deleteProject({ name: "default", validateOnly });
    await expect(always).rejects.toMatchObject({ code: "FAILED_PRECONDITION", reason: "DEFAULT_PROJECT" });
  }
  await root.models.deleteModel({ project: "shop", name: "m" });
  expect((await projects.deleteProject({ name: "shop", validateOnly: true })).project?.description).toBe("Ours.");
  expect((await projects.getProject({ name: "shop" })).project).toMatchObject({ name: "shop", description: "Ours." });
  expect((await projects.deleteProject({ name: "shop" })).project?.name).toBe("shop");
  for (const gone of [projects.getProject, projects.deleteProject])
    await expect(gone({ name: "shop" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect((await projects.listProjects({})).projects.map(({ name }) => name)).not.toContain("shop");
  const late = root.models.createModel({ project: "shop", name: "late" });
  await expect(late).rejects.toMatchObject({ code: "NOT_FOUND" });
});
