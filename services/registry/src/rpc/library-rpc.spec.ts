import { Level } from "@aimass/api/auth";
import { ListServableResponseSchema } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import { tinyModel } from "@aimass/onnx/samples";
import { toBinary } from "@bufbuild/protobuf";
import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { listServable, push, startTestRegistry, type TestRegistry } from "../testing/test-registry.ts";

let registry: TestRegistry;

beforeAll(async () => {
  registry = await startTestRegistry({ grants: [{ subject: "user:ada", resource: "default", level: Level.MANAGE }] });
  const { models, aliases } = registry.as("user:ada");
  for (const name of ["calm", "fraud"]) {
    await models.createModel({ name });
    for (const seed of [1, 2, 3]) await push(registry.as("user:ada"), name, { "model.onnx": tinyModel(seed) });
    await aliases.moveAlias({ model: name, alias: "live", version: 2n });
  }
  await models.retireVersion({ model: "fraud", version: 1n });
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
});

const read = (known?: Record<string, string>) => listServable(registry.service("scheduler"), known);

async function revisions(): Promise<Record<string, string>> {
  const { models } = await read();
  return Object.fromEntries(models.map((model) => [`${model.project}.${model.name}`, model.revision]));
}

it("gives the scheduler and the replicas every READY version and every alias, and nobody else", async () => {
  const { models } = await read();
  expect(models.map((model) => [model.name, model.versions.map((version) => version.version)])).toEqual([
    ["calm", [1n, 2n, 3n]],
    ["fraud", [2n, 3n]],
  ]);
  expect(models.map((model) => model.aliases.map((alias) => [alias.name, alias.version]))).toEqual([
    [["live", 2n]],
    [["live", 2n]],
  ]);
  for (const caller of [
    registry.as("user:root"),
    registry.service("router"),
    registry.service("trainer"),
    registry.service("inference"),
  ]) {
    const refusal = await listServable(caller).catch((error: unknown) => AimassError.from(error));
    expect(refusal).toMatchObject({ code: "PERMISSION_DENIED" });
  }
});

it("gives who holds it already only what changed: a moved alias, a new version, one that was retired, a model that is gone", async () => {
  const { models, aliases } = registry.as("user:ada");
  await models.createModel({ name: "brief" });
  await push(registry.as("user:ada"), "brief", { "model.onnx": tinyModel(1) });
  const changes: [() => Promise<unknown>, changed: string[], removed: string[]][] = [
    [async () => {}, [], []],
    [() => aliases.moveAlias({ model: "fraud", alias: "live", version: 3n }), ["fraud"], []],
    [() => aliases.moveAlias({ model: "fraud", alias: "live", version: 2n }), ["fraud"], []],
    [() => aliases.moveAlias({ model: "calm", alias: "next", version: 3n }), ["calm"], []],
    [() => push(registry.as("user:ada"), "fraud", { "model.onnx": tinyModel(4) }), ["fraud"], []],
    [() => models.retireVersion({ model: "calm", version: 1n }), ["calm"], []],
    [() => models.deleteModel({ name: "brief" }), [], ["default.brief"]],
  ];
  for (const [change, changed, removed] of changes) {
    const known = await revisions();
    await change();
    const answer = await read(known);
    expect([answer.models.map((model) => model.name), answer.removed]).toEqual([changed, removed]);
  }
});

it("is of one moment and in messages of a megabyte or so, whatever changes while it is read", async () => {
  await using _database = await manyVersions("wide", 600);
  const { library } = registry.service("scheduler");
  const { aliases, models } = registry.as("user:ada");
  const numbers: bigint[] = [];
  const revisions = new Set<string>();
  for await (const message of library.listServable({})) {
    expect(toBinary(ListServableResponseSchema, message).byteLength).toBeLessThan(1.2 * 1024 * 1024);
    for (const part of message.models.filter((model) => model.name === "wide")) {
      expect(part.aliases).toEqual([]);
      if (numbers.length === 0) {
        await models.retireVersion({ model: "wide", version: 599n });
        await aliases.moveAlias({ model: "wide", alias: "live", version: 600n });
      }
      revisions.add(part.revision);
      numbers.push(...part.versions.map((version) => version.version));
    }
  }
  expect(numbers).toEqual(Array.from({ length: 600 }, (_, index) => BigInt(index + 1)));
  expect(revisions.size).toBe(1);
  const { models: changed } = await read({ "default.wide": [...revisions].join() });
  const wide = changed.filter((model) => model.name === "wide");
  expect(wide.flatMap((model) => model.versions)).toHaveLength(599);
  expect(wide[0]?.aliases.map(({ name, version }) => [name, version])).toEqual([["live", 600n]]);
});

/** A model of which version 1 was copied many times, in SQL, larger than what is on the way between two processes at a time. */
async function manyVersions(model: string, count: number): Promise<AsyncDisposable> {
  const ada = registry.as("user:ada");
  await ada.models.createModel({ name: model });
  await push(ada, model, { "model.onnx": tinyModel(1) });
  const database = new pg.Client({ connectionString: registry.databaseUrl });
  await database.connect();
  await database.query(
    `insert into registry.version (project, model, version, state, bundle_digest, body, created_at, created_by)
     select project, model, number, state, bundle_digest, body || jsonb_build_object('description', repeat('x', 30000)), created_at, created_by
     from registry.version, generate_series(2, ${count}) as number where model = '${model}' and version = 1`,
  );
  await database.query(`update registry.model set last_version = ${count} where name = '${model}'`);
  return { [Symbol.asyncDispose]: () => database.end() };
}
