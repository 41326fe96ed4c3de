import pg from "pg";
import { fromDatabaseError } from "./database-error.ts";
import { connectionSettings } from "./pool.ts";

/** A schema and the role that alone may use it. */
export interface SchemaOwner {
  readonly schema: string;
  /** Made when missing. Roles belong to the whole server: see `ownerRole`. */
  readonly role: string;
  /** Replaces the one it had. */
  readonly password: string;
}

/** The name of the role that owns a schema: with the database's in front, so that two databases of one server never share a role. */
export function ownerRole(databaseUrl: string, schema: string): string {
  return `${decodeURIComponent(new URL(databaseUrl).pathname.slice(1))}_${schema}`;
}

/**
 * Gives each schema to a role of its own that may log in to this database, use its schema and do nothing else: no superuser, no role of another's rights, no database,
 * role, file or program of the server. Schemas and roles are made when missing; what another user made in a schema is handed over with its rows. May be repeated.
 *
 * The URL is an administrator's: a superuser's, where somebody else owns what is there.
 */
export async function assignSchemas(url: string, owners: readonly SchemaOwner[]): Promise<void> {
  const client = new pg.Client(connectionSettings(url));
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("begin");
    await client.query("select pg_advisory_xact_lock(hashtextextended('aimass.schema-owners', 0))");
    await closeDatabase(client);
    for (const owner of owners) {
      await prepareRole(client, owner);
      await handOver(client, owner);
    }
    for (const owner of owners) await keepOthersOut(client, owner, owners);
    await client.query("commit");
  } catch (error) {
    throw fromDatabaseError(error);
  } finally {
    await client.end().catch(() => {});
  }
}

/** Nobody but superusers and the roles that are named enters the database or makes anything in it. */
async function closeDatabase(client: pg.Client): Promise<void> {
  await run(client, "select format('revoke all on database %I from public', current_database())");
  await client.query("revoke create on schema public from public");
}

async function prepareRole(client: pg.Client, { role, password }: SchemaOwner): Promise<void> {
  const found = await client.query("select 1 from pg_roles where rolname = $1", [role]);
  const name = pg.escapeIdentifier(role);
  if (found.rowCount === 0) await client.query(`create role ${name}`);
  const rights = "login nosuperuser nocreatedb nocreaterole noreplication nobypassrls";
  await client.query(`alter role ${name} with ${rights} password ${pg.escapeLiteral(password)}`);
  await run(
    client,
    `select format('revoke %I from %I', granted.rolname, member.rolname)
     from pg_auth_members join pg_roles granted on granted.oid = roleid join pg_roles member on member.oid = pg_auth_members.member
     where member.rolname = $1`,
    role,
  );
  await run(client, "select format('grant connect on database %I to %I', current_database(), $1::text)", role);
}

/** Tables take their indexes, row types and identity sequences along; what extensions made stays theirs. */
const foreignObjects = `
  select format('alter %s %s owner to %I', kind, name, $2::text) from (
    select 'schema' as kind, quote_ident(nspname) as name, nspowner as owner from pg_namespace where nspname = $1
    union all
    select case relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
        when 'f' then 'foreign table' when 'c' then 'type' else 'table' end,
      pg_class.oid::regclass::text, relowner
    from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where nspname = $1 and relkind in ('r', 'p', 'v', 'm', 'f', 'c', 'S')
      and not exists (select 1 from pg_depend where objid = pg_class.oid and classid = 'pg_class'::regclass
        and (deptype = 'e' or relkind = 'S' and deptype in ('a', 'i')))
    union all
    select 'routine', pg_proc.oid::regprocedure::text, proowner
    from pg_proc join pg_namespace on pg_namespace.oid = pronamespace
    where nspname = $1 and not exists (select 1 from pg_depend where objid = pg_proc.oid and classid = 'pg_proc'::regclass and deptype = 'e')
    union all
    select 'type', pg_type.oid::regtype::text, typowner
    from pg_type join pg_namespace on pg_namespace.oid = typnamespace
    where nspname = $1 and typtype in ('e', 'd')
      and not exists (select 1 from pg_depend where objid = pg_type.oid and classid = 'pg_type'::regclass and deptype = 'e')
  ) as found join pg_roles on pg_roles.oid = found.owner where rolname <> $2`;

async function handOver(client: pg.Client, { schema, role }: SchemaOwner): Promise<void> {
  const found = await client.query("select 1 from pg_namespace where nspname = $1", [schema]);
  if (found.rowCount === 0) await client.query(`create schema ${pg.escapeIdentifier(schema)}`);
  await run(client, foreignObjects, schema, role);
}

async function keepOthersOut(client: pg.Client, owner: SchemaOwner, all: readonly SchemaOwner[]): Promise<void> {
  const schema = pg.escapeIdentifier(owner.schema);
  const others = all.filter(({ role }) => role !== owner.role).map(({ role }) => pg.escapeIdentifier(role));
  const from = ["public", ...others].join(", ");
  await client.query(`revoke all on schema ${schema} from ${from}`);
  for (const kind of ["tables", "sequences", "routines"])
    await client.query(`revoke all on all ${kind} in schema ${schema} from ${from}`);
}

/** Runs the statements that a query writes. */
async function run(client: pg.Client, query: string, ...values: string[]): Promise<void> {
  const { rows } = await client.query<[string]>({ text: query, values, rowMode: "array" });
  for (const [statement] of rows) await client.query(statement);
}
