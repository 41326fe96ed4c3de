import { monitorEventLoopDelay } from "node:perf_hooks";
import { Level } from "@aimass/api/auth";
import { parseAddress } from "@aimass/core";
import { tinyModel } from "@aimass/onnx/samples";
import { silentTelemetry } from "@aimass/telemetry";
import pg from "pg";
import { expect, it } from "vitest";
import { push, startTestRegistry } from "../../services/registry/src/testing/test-registry.ts";
import { registryLibrary } from "../../services/scheduler/src/library/registry-library.ts";

const models = 300;
const versionsEach = 100;
/** Of a signature, so that the library is larger than any message may be. */
const paddingBytes = 3000;

it("a library of 30 000 versions, larger than any message, is held whole by the scheduler and read again by what changed", async () => {
  await using registry = await startTestRegistry({
    grants: [{ subject: "user:ada", resource: "default", level: Level.MANAGE }],
  });
  const ada = registry.as("user:ada");
  await ada.models.createModel({ name: "m0" });
  await push(ada, "m0", { "model.onnx": tinyModel(1) });
  await fill(registry.databaseUrl);
  const readLibrary = registryLibrary({
    addresses: [parseAddress(registry.address) ?? expect.fail()],
    identity: registry.identity("scheduler"),
    telemetry: silentTelemetry(),
  });

  const turns = monitorEventLoopDelay({ resolution: 10 });
  turns.enable();
  const first = await timed(() => readLibrary());
  turns.disable();
  const library = first.result;
  // In shares of the whole, whatever the machine's pace: nothing else of this process waits for the library, whose registry and scheduler it runs both.
  expect(turns.max / 1e6).toBeLessThan(Math.max(first.tookMs / 5, 100));
  expect(library.size).toBe(models);
  let counted = 0;
  for (const model of library.values()) {
    expect(model.versions.map(({ version }) => Number(version))).toEqual(
      Array.from({ length: versionsEach }, (_, index) => index + 1),
    );
    expect(model.aliases.map(({ name, version }) => [name, version])).toEqual([["default", 7n]]);
    counted += model.versions.length;
  }
  expect(counted).toBe(models * versionsEach);

  await ada.aliases.moveAlias({ model: "m17", alias: "default", version: 8n });
  const { result: again, tookMs } = await timed(() => readLibrary());
  const changed = [...again].filter(([key, model]) => library.get(key) !== model).map(([key]) => key);
  expect(changed).toEqual(["default.m17"]);
  expect(again.get("default.m17")?.aliases[0]?.version).toBe(8n);
  expect(tookMs).toBeLessThan(first.tookMs / 4);
}, 180_000);

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; tookMs: number }> {
  const startedAt = performance.now();
  return { result: await work(), tookMs: performance.now() - startedAt };
}

/** Copies version 1 of m0 in SQL, with a signature as wide models have it. */
async function fill(databaseUrl: string): Promise<void> {
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  await database.query(`
    insert into registry.model (project, name, description, labels, last_version, created_at, created_by)
    select project, 'm' || n, description, labels, ${versionsEach}, created_at, created_by
    from registry.model, generate_series(1, ${models - 1}) as n where name = 'm0'`);
  await database.query(`
    insert into registry.version (project, model, version, state, bundle_digest, body, created_at, created_by)
    select project, 'm' || n, v, state, bundle_digest, body || jsonb_build_object('description', repeat('x', ${paddingBytes})), created_at, created_by
    from registry.version, generate_series(0, ${models - 1}) as n, generate_series(1, ${versionsEach}) as v
    where model = 'm0' and version = 1 and not (n = 0 and v = 1)`);
  await database.query(`
    insert into registry.alias (project, model, name, version, moved_at, moved_by)
    select project, name, 'default', 7, created_at, created_by from registry.model`);
  await database.end();
}
