import { createTestDatabase, startTestPostgres, type TestDatabase } from "@aimass/testkit";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assignSchemas, ownerRole, type SchemaOwner } from "./schema-owners.ts";
import { openStore } from "./store.ts";

const denied = "42501";

let database: TestDatabase;
let admin: pg.Client;
let owners: SchemaOwner[];

beforeAll(async () => {
  database = await createTestDatabase();
  admin = await connect(database.url);
  owners = ["shop", "bank"].map((schema) => ({
    schema,
    role: ownerRole(database.url, schema),
    password: `${schema}'s "own"`,
  }));
  await admin.query(madeBefore);
  await assignSchemas(database.url, owners);
});
afterAll(async () => {
  await admin.end();
  await database.drop();
  const server = await connect((await startTestPostgres()).url);
  for (const { role } of owners) await server.query(`drop role ${role}`);
  await server.end();
});

/** One of each kind of object that a migration may make, with rows, as a version left it that had one superuser for all. */
const madeBefore = `
  create schema shop;
  set search_path = shop;
  create type colour as enum ('red', 'blue');
  create domain price as numeric check (value >= 0);
  create type pair as (a int, b int);
  create sequence ticket;
  create table item (id bigint generated always as identity primary key, colour colour, price price, pair pair);
  create table sold (day date) partition by range (day);
  create table sold_now partition of sold default;
  create view red as select * from item where colour = 'red';
  create materialized view blue as select * from item where colour = 'blue';
  create function total() returns numeric language sql as 'select sum(price) from shop.item';
  insert into item (colour, price) values ('red', 1), ('blue', 2);
  grant all on schema shop to public;
  grant all on all tables in schema shop to public;`;

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}

function urlOf({ role, password }: SchemaOwner): string {
  const url = new URL(database.url);
  url.username = role;
  url.password = encodeURIComponent(password);
  return url.href;
}

async function as(schema: string, statement: string): Promise<unknown[]> {
  const client = await connect(urlOf(owners.find((owner) => owner.schema === schema) as SchemaOwner));
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

describe("a schema with an owner of its own", () => {
  it("was handed over with its rows, whatever they are in", async () => {
    const left = await admin.query(
      `select 'relation' as kind, oid::regclass::text as name from pg_class where relnamespace = 'shop'::regnamespace and relowner = 'aimass'::regrole
       union all select 'type', oid::regtype::text from pg_type where typnamespace = 'shop'::regnamespace and typowner = 'aimass'::regrole
       union all select 'routine', oid::regprocedure::text from pg_proc where pronamespace = 'shop'::regnamespace and proowner = 'aimass'::regrole`,
    );
    expect(left.rows).toEqual([]);
    expect(await as("shop", "select colour, price::int from shop.item order by id")).toEqual([
      { colour: "red", price: 1 },
      { colour: "blue", price: 2 },
    ]);
    await as(
      "shop",
      "alter table shop.item add note text; drop view shop.red; insert into shop.item (price) values (3)",
    );
  });

  it("is brought up to date by its service, which may make no other", async () => {
    const migrations = [{ name: "0001-account", up: "create table account (id int)" }];
    const url = urlOf(owners[1] as SchemaOwner);
    await (await openStore({ url, schema: "bank", migrations }))[Symbol.asyncDispose]();
    await (await openStore({ url, schema: "bank", migrations }))[Symbol.asyncDispose]();
    await expect(openStore({ url, schema: "garden", migrations })).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "DATABASE_REFUSED",
    });
  });

  it("may be assigned again: what was granted in between is gone, and a new password is the only one", async () => {
    const [shop, bank] = owners as [SchemaOwner, SchemaOwner];
    await admin.query(
      `grant all on schema shop to ${bank.role}; grant select on shop.item to ${bank.role}; grant pg_read_all_data to ${bank.role}; alter role ${bank.role} createdb`,
    );
    const before = urlOf(bank);
    owners = [shop, { ...bank, password: "another" }];
    await assignSchemas(database.url, owners);
    await expect(as("bank", "select * from shop.item")).rejects.toMatchObject({ code: denied });
    await expect(as("bank", "create database mine")).rejects.toMatchObject({ code: denied });
    await expect(connect(before)).rejects.toMatchObject({ code: "28P01" });
    expect(await as("shop", "select count(*)::int as rows from shop.item")).toEqual([{ rows: 3 }]);
  });

  it.each([
    ["reads another's table", "select * from shop.item"],
    ["writes to it", "insert into shop.item (price) values (0)"],
    ["empties it", "truncate shop.item"],
    ["drops it", "drop table shop.item"],
    ["drops the schema", "drop schema shop cascade"],
    ["makes a table there", "create table shop.mine (id int)"],
    ["calls a function there", "select shop.total()"],
    ["makes a table where all may look", "create table public.mine (id int)"],
    ["makes a schema", "create schema mine"],
    ["makes a role", "create role mine"],
    ["becomes the superuser", "set role aimass"],
    ["makes itself one", "alter role current_user superuser"],
    ["reads a file of the server", "select pg_read_file('postgresql.conf')"],
    ["lists a folder of it", "select pg_ls_dir('.')"],
    ["makes a temporary table", "create temp table t (line text)"],
    ["copies a file into its table", "copy bank.account from '/etc/passwd'"],
    ["runs a program", "copy bank.account to program 'true'"],
    ["imports a file", "select lo_import('/etc/passwd')"],
    ["reads the passwords", "select * from pg_authid"],
  ])("has an owner that is refused when it %s", async (_, statement) => {
    await expect(as("bank", statement)).rejects.toMatchObject({ code: denied });
  });

  it("has an owner that enters no other database of the server", async () => {
    const url = new URL(urlOf(owners[1] as SchemaOwner));
    url.pathname = "/postgres";
    await expect(connect(url.href)).rejects.toMatchObject({ code: denied });
  });
});
