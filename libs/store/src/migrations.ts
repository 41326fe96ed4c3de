import { createHash } from "node:crypto";
import { AimassError } from "@aimass/core";
import pg from "pg";
import { connectionSettings } from "./pool.ts";

/** One step of a schema. Once released it never changes; a correction is a new step. */
export interface Migration {
  /** Unique in its schema, for instance "0001-models". */
  readonly name: string;
  /** SQL, one or more statements; runs in one transaction with the schema first on the search path. */
  readonly up: string;
}

/** What the store itself needs in every schema. */
const storeMigrations: readonly Migration[] = [
  {
    name: "store-0001-outbox-and-lease",
    up: `
      create table outbox (
        position bigint generated always as identity primary key,
        id text not null unique,
        subject text not null,
        payload bytea not null,
        created_at timestamptz not null default now()
      );
      create table lease (
        name text primary key,
        holder text not null,
        token bigint not null,
        expires_at timestamptz not null
      );`,
  },
];

/**
 * Brings a schema up to date. Processes that start at the same time take turns by an advisory lock. Connection errors are passed on as they are.
 *
 * ### Errors
 * - `FAILED_PRECONDITION` `MIGRATION_CHANGED`: a step that has run reads differently now.
 * - `FAILED_PRECONDITION` `SCHEMA_NEWER`: the schema has steps this program does not know.
 */
export async function migrate(url: string, schema: string, migrations: readonly Migration[]): Promise<void> {
  const client = new pg.Client(connectionSettings(url, schema));
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("select pg_advisory_lock(hashtextextended($1, 0))", [`aimass.migrate.${schema}`]);
    await makeMissing(client, schema);
    await applyMissing(client, schema, [...storeMigrations, ...migrations]);
  } finally {
    await client.end().catch(() => {});
  }
}

/** Looks first: "if not exists" asks for the right to make even where there is nothing to make, and a service may have none. */
async function makeMissing(client: pg.Client, schema: string): Promise<void> {
  const hasSchema = await client.query("select 1 from pg_namespace where nspname = $1", [schema]);
  if (hasSchema.rowCount === 0) await client.query(`create schema ${schema}`);
  const { rows } = await client.query<{ found: string | null }>("select to_regclass($1) as found", [
    `${schema}.migration`,
  ]);
  if (rows[0]?.found != null) return;
  await client.query(
    `create table ${schema}.migration (
       name text primary key, checksum text not null, applied_at timestamptz not null default now())`,
  );
}

async function applyMissing(client: pg.Client, schema: string, migrations: readonly Migration[]): Promise<void> {
  const { rows } = await client.query<{ name: string; checksum: string }>(
    `select name, checksum from ${schema}.migration`,
  );
  const applied = new Map(rows.map((row) => [row.name, row.checksum]));
  refuseUnknown(schema, applied, migrations);
  for (const migration of migrations) {
    const checksum = createHash("sha256").update(migration.up).digest("hex");
    const known = applied.get(migration.name);
    if (known === undefined) await apply(client, schema, migration, checksum);
    else if (known !== checksum) throw changed(schema, migration.name);
  }
}

async function apply(client: pg.Client, schema: string, migration: Migration, checksum: string): Promise<void> {
  await client.query("begin");
  try {
    await client.query(migration.up);
    await client.query(`insert into ${schema}.migration (name, checksum) values ($1, $2)`, [migration.name, checksum]);
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw Object.assign(error as Error, {
      message: `Migration ${migration.name} of ${schema}: ${(error as Error).message}`,
    });
  }
}

function refuseUnknown(schema: string, applied: ReadonlyMap<string, string>, migrations: readonly Migration[]): void {
  const names = new Set(migrations.map((migration) => migration.name));
  const unknown = [...applied.keys()].filter((name) => !names.has(name));
  if (unknown.length === 0) return;
  throw new AimassError(
    "FAILED_PRECONDITION",
    `The schema ${schema} has steps this program does not know: ${unknown.join(", ")}.`,
    {
      reason: "SCHEMA_NEWER",
      remedy: "A newer version has used this database; run that version, or use another database.",
    },
  );
}

function changed(schema: string, name: string): AimassError {
  return new AimassError("FAILED_PRECONDITION", `Migration ${name} of the schema ${schema} was changed after it ran.`, {
    reason: "MIGRATION_CHANGED",
    remedy: "Put the old text back and write the change as a new migration.",
  });
}
