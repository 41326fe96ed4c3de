import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openRecordStore } from "@aimass/artifacts";
import { startObjectServer } from "@aimass/artifacts/testing";
import type { Environment } from "@aimass/core";
import { openStore } from "@aimass/store";
import { waitFor } from "@aimass/testkit";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { AuthDatabase, AuthStore } from "../database.ts";
import { authMigrations } from "../migrations/index.ts";
import { type AuthFixture, startAuthFixture } from "../testing/auth-fixture.ts";
import { headsFolder, StoredHeads } from "./stored-heads.ts";

let auth: AuthFixture;
let token: string;
let store: AuthStore;
let client: pg.Client;

beforeAll(async () => {
  auth = await startAuthFixture();
  token = await auth.signInAdmin();
  store = await openStore<AuthDatabase>({ url: auth.database.url, schema: "auth", migrations: authMigrations });
  client = new pg.Client(auth.database.url);
  await client.connect();
});
afterAll(async () => {
  await client?.end();
  await store?.[Symbol.asyncDispose]();
  await auth?.[Symbol.asyncDispose]();
});

let place: string;
let round = 0;
beforeEach(() => {
  round += 1;
  place = join(auth.directory, `artifacts-${round}`);
});

const headFiles = async () => (await readdir(join(place, headsFolder)).catch(() => [])).sort();
const inDirectory = (): Environment => ({ AIMASS_ARTIFACTS: pathToFileURL(place).href });
const always = new AbortController().signal;

/** Does something that is audited, and has the head of it signed. */
async function act(): Promise<bigint> {
  const count = async () => BigInt((await client.query("select count(*) from auth.audit_entry")).rows[0].count);
  const before = await count();
  const name = `account-${before}`;
  await auth.as(token).directory.createServiceAccount({ name });
  await waitFor(async () => (await count()) > before, { timeoutMs: 60_000, what: `an entry of ${name}` });
  const { head } = await auth.as(token).audit.getHead({});
  return head?.sequence ?? 0n;
}

/** Takes the newest entries away, and every head of theirs that is in the database or in the state directory; puts all back afterwards. */
async function withoutTail<T>(from: bigint, look: () => Promise<T>): Promise<T> {
  const file = join(auth.directory, "audit-heads.jsonl");
  const lines = await readFile(file, "utf8");
  for (const table of ["audit_entry", "audit_head"]) {
    await client.query(`create table auth.kept_${table} as table auth.${table}`);
    await client.query(`delete from auth.${table} where sequence >= $1`, [from.toString()]);
  }
  await writeFile(file, "");
  try {
    return await look();
  } finally {
    await writeFile(file, lines);
    for (const table of ["audit_entry", "audit_head"]) {
      await client.query(`truncate auth.${table}`);
      await client.query(`insert into auth.${table} select * from auth.kept_${table}`);
      await client.query(`drop table auth.kept_${table}`);
    }
  }
}

describe("the ledger's heads in the artifact store", () => {
  it("are there when the process has ended, as they were signed", async () => {
    const sequence = await act();
    const process = await auth.startProcess(inDirectory());
    await process.stop(1000);
    const [name = ""] = await headFiles();
    expect(name).toMatch(new RegExp(`^${sequence.toString().padStart(20, "0")}-[0-9a-f]{64}\\.json$`));
    const { rows } = await client.query("select * from auth.audit_head where sequence = $1", [sequence.toString()]);
    expect(JSON.parse(await readFile(join(place, headsFolder, name), "utf8"))).toEqual({
      sequence: sequence.toString(),
      hash: rows[0].hash.toString("hex"),
      signedAt: rows[0].signed_at.toISOString(),
      keyId: rows[0].key_id,
      signature: rows[0].signature.toString("base64url"),
    });
  });

  it("show that a tail was cut off together with every trace of it in the database and the state directory", async () => {
    const sequence = await act();
    const process = await auth.startProcess(inDirectory());
    await waitFor(async () => (await headFiles()).length > 0, { timeoutMs: 60_000, what: "a head" });
    const [blind, seeing] = await withoutTail(sequence, async () => [
      await auth.as(token).audit.verifyLedger({}),
      await auth.as(token, process).audit.verifyLedger({}),
    ]);
    expect(blind).toMatchObject({ intact: true });
    expect(seeing).toMatchObject({ intact: false, firstBadSequence: sequence });
    expect(seeing?.finding).toContain(`a head of entry ${sequence} was signed`);
    expect(await auth.as(token, process).audit.verifyLedger({})).toMatchObject({ intact: true });
    await process.stop(1000);
  });

  it("are all written, oldest first, when a store that was away is back", async () => {
    await using records = await openRecordStore({ kind: "file", directory: place }, headsFolder);
    const heads = new StoredHeads(store, records);
    const first = await act();
    await heads.export(always);
    await rm(place, { recursive: true });
    await writeFile(place, "in the way");
    const second = await act();
    await expect(heads.export(always)).rejects.toThrow();
    const third = await act();
    await rm(place);
    await heads.export(always);
    const written = (await headFiles()).map((name) => BigInt(name.slice(0, 20)));
    expect(written).toEqual([second, third]);
    expect(first).toBeLessThan(second);
  });

  it("begin with the newest alone, and are each written once", async () => {
    await using records = await openRecordStore({ kind: "file", directory: place }, headsFolder);
    const heads = new StoredHeads(store, records);
    await act();
    const newest = await act();
    await heads.export(always);
    expect((await headFiles()).map((name) => BigInt(name.slice(0, 20)))).toEqual([newest]);
    await rm(place, { recursive: true });
    await heads.export(always);
    expect(await headFiles()).toEqual([]);
  });

  it.each([
    ["no JSON", "nonsense"],
    ["no head", '{"signedAt":7,"keyId":null}'],
    ["the signature of nobody", '{"signedAt":"2026-01-01T00:00:00Z","keyId":"none","signature":"AAAA"}'],
  ])("that are %s are named as forged", async (_what, content) => {
    await act();
    const process = await auth.startProcess(inDirectory());
    await using records = await openRecordStore({ kind: "file", directory: place }, headsFolder);
    await records.put("notes.txt", Buffer.from("not a head at all"));
    expect(await auth.as(token, process).audit.verifyLedger({})).toMatchObject({ intact: true });
    await records.put(`${"1".padStart(20, "0")}-${"ab".repeat(32)}.json`, Buffer.from(content));
    expect(await auth.as(token, process).audit.verifyLedger({})).toMatchObject({
      intact: false,
      firstBadSequence: 1n,
      finding: "The exported head of entry 1 is not signed by this service.",
    });
    await process.stop(1000);
  });

  it("go to a bucket with the variables the registry has, and do not hold up the service while it is away", async () => {
    const server = await startObjectServer();
    const env = {
      AIMASS_ARTIFACTS: `s3://models/aimass?endpoint=${server.endpoint}`,
      AIMASS_S3_ACCESS_KEY_ID: "key",
      AIMASS_S3_SECRET_ACCESS_KEY: "secret",
    };
    const sequence = await act();
    const process = await auth.startProcess(env);
    await process.stop(1000);
    const keys = [...server.objects.keys()];
    expect(keys).toEqual([
      expect.stringMatching(new RegExp(`^aimass/${headsFolder}/0+${sequence}-[0-9a-f]{64}.json$`)),
    ]);

    const cutOff = await auth.startProcess(env);
    await server[Symbol.asyncDispose]();
    const { serviceAccount } = await auth.as(token, cutOff).directory.createServiceAccount({ name: "meanwhile" });
    expect(serviceAccount?.name).toBe("meanwhile");
    await expect(auth.as(token, cutOff).audit.verifyLedger({})).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await cutOff.stop(1000);
  });
});
