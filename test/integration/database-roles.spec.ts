import { join } from "node:path";
import { Mesh } from "@aimass/cli";
import { systemClock } from "@aimass/core";
import { startEmbeddedPostgres } from "@aimass/embedded";
import { tinyModel } from "@aimass/onnx/samples";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestMesh } from "../support/test-mesh.ts";

const denied = "42501";

let mesh: TestMesh;

beforeAll(async () => {
  mesh = await TestMesh.start({ replicas: 1 });
  await mesh.push("fraud", tinyModel());
}, 120_000);
afterAll(() => mesh?.[Symbol.asyncDispose]());

/** Services that were given a database, with the URL they were given. */
function databasesOf({ mesh: { processes } }: TestMesh): [service: string, url: string][] {
  return [...processes].flatMap(([name, { spec }]) => {
    const url = spec.env.AIMASS_DATABASE_URL;
    return url === undefined ? [] : [[name, url] as [string, string]];
  });
}

async function connect(url: string) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return {
    ask: async <Row extends object>(statement: string, values: unknown[] = []) =>
      (await client.query<Row>(statement, values)).rows,
    [Symbol.asyncDispose]: () => client.end(),
  };
}

async function ask<Row extends object>(url: string, statement: string, values: unknown[] = []): Promise<Row[]> {
  await using client = await connect(url);
  return await client.ask<Row>(statement, values);
}

const codeOf = (error: unknown) => (error as { code?: string }).code;
const admin = () => mesh.mesh.postgres?.url as string;
const relations = () =>
  ask<{ schema: string; name: string; owner: string }>(
    admin(),
    `select nspname as schema, relname as name, pg_get_userbyid(relowner) as owner
     from pg_class join pg_namespace on pg_namespace.oid = relnamespace
     where relkind in ('r', 'p', 'v', 'm') and nspname !~ '^(pg_|information_schema)'`,
  );

describe("a service's role in the database", { timeout: 180_000 }, () => {
  it("is its own, and processes that need no database have none", () => {
    const urls = databasesOf(mesh);
    expect(urls.map(([name]) => name).sort()).toEqual(["auth", "registry", "scheduler", "trainer"]);
    for (const part of ["username", "password"] as const)
      expect(new Set(urls.map(([, url]) => new URL(url)[part])).size).toBe(urls.length);
  });

  it("is refused on every table of every other schema", async () => {
    const all = await relations();
    expect(new Set(all.map(({ schema }) => schema))).toEqual(
      new Set(["auth", "registry", "trainer", "scheduler", "events"]),
    );
    const allowed: string[] = [];
    for (const [service, url] of databasesOf(mesh)) {
      const tables = all.filter(({ schema }) => schema !== service && schema !== "events");
      const schemas = new Set(all.map(({ schema }) => schema).filter((schema) => schema !== service));
      const statements = [
        ...tables.flatMap(({ schema, name }) => [
          `select 1 from ${schema}."${name}"`,
          `delete from ${schema}."${name}"`,
          `drop table ${schema}."${name}"`,
        ]),
        ...[...schemas].flatMap((schema) => [`drop schema ${schema} cascade`, `create table ${schema}.mine (id int)`]),
      ];
      await using client = await connect(url);
      for (const statement of statements) {
        const code = await client.ask(statement).then(() => "done", codeOf);
        if (code !== denied) allowed.push(`${service}: ${statement}: ${code}`);
      }
    }
    expect(allowed).toEqual([]);
  });

  it("owns what its own schema holds, and nothing else", async () => {
    for (const { schema, name, owner } of await relations())
      expect(`${schema}.${name}: ${owner}`).toBe(`${schema}.${name}: aimass${schema === "events" ? "" : `_${schema}`}`);
  });

  it("reads the events, speaks for its service alone, moves its own consumers and removes nothing that others may still need", async () => {
    const [trainer] = databasesOf(mesh)
      .filter(([name]) => name === "trainer")
      .map(([, url]) => url) as [string];
    const publish = (subject: string) =>
      ask(trainer, "insert into events.event (id, subject, payload) values ($1, $1, '')", [subject]);
    expect(await ask(trainer, "select 1 from events.event")).not.toEqual([]);
    await expect(publish("aimass.registry.model_deleted")).rejects.toMatchObject({ code: denied });
    expect(await ask(trainer, "delete from events.event returning 1")).toEqual([]);
    expect(await ask(trainer, "update events.consumer set position = 0 returning name")).toEqual([
      { name: "trainer-retraining" },
    ]);
    await expect(ask(trainer, "drop table events.event")).rejects.toMatchObject({ code: denied });
    await expect(ask(trainer, "update events.event set payload = ''")).rejects.toMatchObject({ code: denied });
  });

  it("takes over a directory of an older version, in which a superuser owns everything, with all that is in it", async () => {
    const data = mesh.mesh.data.path;
    const owners = databasesOf(mesh).map(([, url]) => new URL(url).username);
    const before = await ask(admin(), "select * from registry.version");
    await mesh.mesh.stop(5000);
    const signal = AbortSignal.timeout(60_000);
    const server = await startEmbeddedPostgres({ directory: join(data, "postgres"), clock: systemClock, signal });
    for (const role of owners)
      await ask(server.url, `reassign owned by ${role} to aimass; drop owned by ${role}; drop role ${role}`);
    await ask(
      server.url,
      "alter table events.event disable row level security; create table registry.kept as select 7 as seven",
    );
    await server.stop();
    const again = await Mesh.start({ data, port: 0, tritonPorts: false, durable: false, replicas: 1 });
    try {
      const [registry] = [...again.processes].filter(([name]) => name === "registry");
      const url = registry?.[1].spec.env.AIMASS_DATABASE_URL as string;
      expect(new URL(url).username).toBe("aimass_registry");
      expect(await ask(url, "select * from registry.version")).toEqual(before);
      expect(await ask(url, "select seven from registry.kept")).toEqual([{ seven: 7 }]);
      await expect(ask(url, "select 1 from auth.grant")).rejects.toMatchObject({ code: denied });
    } finally {
      await again.stop(5000);
    }
  });
});
