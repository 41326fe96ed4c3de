import { openStore, ownerRole } from "@aimass/store";
import { sql, type Transaction } from "kysely";
import { consumersOf } from "./consumers.ts";
import { retentionMs } from "./event-carrier.ts";
import { schema } from "./postgres-carrier.ts";
import { postgresMigrations } from "./postgres-migrations.ts";

/**
 * Lets each service's role use the shared tables of events, and not own them: it reads events, publishes below its own source alone, removes what is too old and moves its own
 * consumers. As an administrator, after the roles were made (`assignSchemas`); may be repeated. The steps of the schema are the administrator's too.
 */
export async function shareEvents(adminUrl: string): Promise<void> {
  await using store = await openStore<unknown>({ url: adminUrl, schema, migrations: postgresMigrations });
  await store.withTransaction(async (tx) => {
    await sql`select pg_advisory_xact_lock(hashtextextended('aimass.schema-owners', 0))`.execute(tx);
    await dropPolicies(tx);
    for (const table of ["event", "consumer"])
      await sql`alter table ${sql.id(schema, table)} enable row level security`.execute(tx);
    for (const service of Object.keys(consumersOf)) await admit(tx, service, ownerRole(adminUrl, service));
  });
}

async function dropPolicies(tx: Transaction<unknown>): Promise<void> {
  const { rows } = await sql<{ name: string; table: string }>`
    select policyname as name, tablename as table from pg_policies where schemaname = ${schema}`.execute(tx);
  for (const { name, table } of rows) {
    await sql`drop policy ${sql.id(name)} on ${sql.id(schema, table)}`.execute(tx);
  }
}

async function admit(tx: Transaction<unknown>, service: string, roleName: string): Promise<void> {
  const role = sql.id(roleName);
  const event = sql.id(schema, "event");
  const consumer = sql.id(schema, "consumer");
  const others = sql`${sql.id(schema, "migration")}, ${sql.id(schema, "unsigned_until")}`;
  await sql`revoke all on all tables in schema ${sql.id(schema)} from ${role}`.execute(tx);
  await sql`grant usage on schema ${sql.id(schema)} to ${role}`.execute(tx);
  await sql`grant select on ${others} to ${role}`.execute(tx);
  await sql`grant select, insert, delete on ${event} to ${role}`.execute(tx);
  await sql`grant select, insert, update on ${consumer} to ${role}`.execute(tx);
  const policy = (kind: string) => sql.id(`${service}_${kind}`);
  const source = sql.lit(`aimass.${service}.`);
  await sql`create policy ${policy("reads")} on ${event} for select to ${role} using (true)`.execute(tx);
  await sql`create policy ${policy("publishes")} on ${event} for insert to ${role}
    with check (starts_with(subject, ${source}))`.execute(tx);
  await sql`create policy ${policy("purges")} on ${event} for delete to ${role}
    using (published_at < now() - ${sql.lit(`${retentionMs} milliseconds`)}::interval)`.execute(tx);
  const names = (consumersOf[service] ?? []).map((name) => sql.lit(name));
  if (names.length === 0) return;
  await sql`create policy ${policy("consumes")} on ${consumer} to ${role}
    using (name in (${sql.join(names)}))`.execute(tx);
}
