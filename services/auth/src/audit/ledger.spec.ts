import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { Effect, Level } from "@aimass/api/auth";
import { EventSchema } from "@aimass/api/events";
import { openStore } from "@aimass/store";
import { waitFor } from "@aimass/testkit";
import { create } from "@bufbuild/protobuf";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AuthDatabase } from "../database.ts";
import { authMigrations } from "../migrations/index.ts";
import { type AuthClients, type AuthFixture, startAuthFixture } from "../testing/auth-fixture.ts";
import { Ledger } from "./ledger.ts";

let auth: AuthFixture;
let root: AuthClients;
let client: pg.Client;

beforeAll(async () => {
  auth = await startAuthFixture();
  root = auth.as(await auth.signInAdmin());
  client = new pg.Client(auth.database.url);
  await client.connect();
});
afterAll(async () => {
  await client?.end();
  await auth?.[Symbol.asyncDispose]();
});

const count = async () => Number((await client.query("select count(*) from auth.audit_entry")).rows[0].count);
const query = (text: string, values: unknown[] = []) => client.query(text, values);

/** Does something to the ledger's table behind the service's back, looks, and puts everything back. */
async function tampered(statement: string) {
  await query("create table auth.kept as table auth.audit_entry");
  try {
    expect((await query(statement)).rowCount).toBeGreaterThan(0);
    return await root.audit.verifyLedger({});
  } finally {
    await query("truncate auth.audit_entry");
    await query("insert into auth.audit_entry select * from auth.kept");
    await query("drop table auth.kept");
  }
}

describe("the ledger", () => {
  it("records who did what, failures too, once each", async () => {
    await root.directory.createUser({ name: "ada", password: "correct horse battery" });
    const allowed = { subject: "user:ada", resource: "p", level: Level.VIEW, effect: Effect.ALLOW };
    const { grant } = await root.access.putGrant({ grant: allowed });
    await root.access.deleteGrant({ id: grant?.id ?? "" });
    await auth
      .as()
      .session.signIn({ username: "ada", password: "certainly wrong" })
      .catch(() => {});
    await waitFor(
      async () => (await root.audit.listEntries({ action: "session.sign_in_failed" })).entries.length === 1,
      {
        timeoutMs: 60_000,
      },
    );
    const { entries } = await root.audit.listEntries({ resource: "p" });
    expect(entries.map((entry) => [entry.actor, entry.action])).toEqual([
      ["user:admin", "grant.deleted"],
      ["user:admin", "grant.put"],
    ]);
    const byPrefix = await root.audit.listEntries({ action: "grant", actor: "user:admin", page: { size: 1 } });
    const rest = await root.audit.listEntries({
      action: "grant",
      actor: "user:admin",
      page: { size: 1, token: byPrefix.page?.nextToken ?? "" },
    });
    expect([byPrefix, rest].map((page) => page.entries[0]?.action)).toEqual(["grant.deleted", "grant.put"]);
    expect((await root.audit.listEntries({ action: "gran" })).entries).toEqual([]);
    await expect(
      auth.as(await auth.signIn("ada", "correct horse battery")).audit.listEntries({}),
    ).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
    });
  });

  it("exports every entry in order from where one asks", async () => {
    const all: bigint[] = [];
    for await (const { entries } of root.audit.exportEntries({ afterSequence: 2n })) {
      all.push(...entries.map((entry) => entry.sequence));
    }
    expect(all).toEqual(Array.from({ length: all.length }, (_, i) => BigInt(i + 3)));
    expect(all.length).toBeGreaterThan(2);
  });

  it("chains an event once, however many processes get it at the same time", async () => {
    await using store = await openStore<AuthDatabase>({
      url: auth.database.url,
      schema: "auth",
      migrations: authMigrations,
    });
    const ledger = new Ledger(store);
    const events = Array.from({ length: 8 }, (_, i) =>
      create(EventSchema, {
        id: `event-${i % 4}`,
        actor: "user:ada",
        resource: "p.m@champion",
        audited: true,
        payload: { case: "aliasMoved", value: { project: "p", model: "m", alias: "champion", toVersion: 2n } },
      }),
    );
    const sequences = await Promise.all(events.map((event) => ledger.append(event)));
    expect(sequences.filter((sequence) => sequence !== undefined)).toHaveLength(4);
    const { rows } = await query(
      "select event_id from auth.audit_entry where event_id like 'event-%' order by event_id",
    );
    expect(rows.map((row) => row.event_id)).toEqual(["event-0", "event-1", "event-2", "event-3"]);
    expect(await root.audit.verifyLedger({})).toMatchObject({ intact: true });
  });

  it("sends its signed head to a webhook, and minds neither one that refuses nor one that is away", async () => {
    const heads: { sequence: string; signature: string }[] = [];
    const server = createServer((request, response) => {
      json(request).then((head) => heads.push(head as (typeof heads)[number]));
      response.writeHead(heads.length === 0 ? 500 : 204).end();
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/heads`;
    const exportNow = async (name: string) => {
      const other = await auth.startProcess({ AIMASS_AUDIT_WEBHOOK_URL: url });
      const before = await count();
      await root.directory.createServiceAccount({ name });
      await waitFor(async () => (await count()) > before, { timeoutMs: 60_000 });
      await other.stop(1000);
    };
    await exportNow("refused");
    await exportNow("taken");
    await waitFor(() => heads.length >= 2, { timeoutMs: 60_000 });
    expect(Number(heads.at(-1)?.sequence)).toBeGreaterThan(Number(heads[0]?.sequence));
    expect(heads.at(-1)?.signature).toMatch(/^[\w-]{86}$/);
    server.close();
    await exportNow("away");
  });

  it("shows a removed, an altered and a reordered entry, and a tail cut off after its head was signed", async () => {
    const other = await auth.startProcess();
    await other.stop(1000);
    const lines = (await readFile(join(auth.directory, "audit-heads.jsonl"), "utf8")).trim().split("\n");
    const head = JSON.parse(lines.at(-1) ?? "") as { sequence: string };
    expect(await root.audit.verifyLedger({})).toMatchObject({ intact: true, firstBadSequence: 0n });

    const removed = await tampered("delete from auth.audit_entry where sequence = 3");
    expect(removed).toMatchObject({ intact: false, entries: 2n, finding: "Entry 3 is missing; entry 4 comes next." });
    const altered = await tampered("update auth.audit_entry set payload = payload || '\\x00' where sequence = 2");
    expect(altered).toMatchObject({ intact: false, firstBadSequence: 2n });
    expect(altered.finding).toMatch(/was altered/);
    const swapped = await tampered(
      "update auth.audit_entry e set payload = (select payload from auth.audit_entry o where o.sequence = 5 - e.sequence) where sequence in (2, 3)",
    );
    expect(swapped).toMatchObject({ intact: false, firstBadSequence: 2n });
    const cut = await tampered(`delete from auth.audit_entry where sequence >= ${head.sequence}`);
    expect(cut).toMatchObject({ intact: false, firstBadSequence: BigInt(head.sequence) });
    expect(cut.finding).toMatch(/a head of entry \d+ was signed/);
  });

  it("shows a rewritten chain by the head that was signed before", async () => {
    const { createHash } = await import("node:crypto");
    const { rows } = await query("select * from auth.audit_entry order by sequence");
    await query("create table auth.kept as table auth.audit_entry");
    let previous = Buffer.alloc(32);
    for (const row of rows) {
      const payload = row.sequence === "1" ? Buffer.concat([row.payload, Buffer.from([0x32, 0x00])]) : row.payload;
      const sequence = Buffer.alloc(8);
      sequence.writeBigUInt64BE(BigInt(row.sequence));
      const hash = createHash("sha256").update(previous).update(sequence).update(payload).digest();
      await query("update auth.audit_entry set payload = $2, previous_hash = $3, hash = $4 where sequence = $1", [
        row.sequence,
        payload,
        previous,
        hash,
      ]);
      previous = Buffer.from(hash);
    }
    const finding = await root.audit.verifyLedger({});
    expect(finding).toMatchObject({ intact: false });
    expect(finding.finding).toMatch(/is not the one whose hash was signed/);
    await query("truncate auth.audit_entry");
    await query("insert into auth.audit_entry select * from auth.kept");
    await query("drop table auth.kept");
    expect((await root.audit.verifyLedger({})).intact).toBe(true);
  });
});
