import { Level } from "@aimass/api/auth";
import type { Event } from "@aimass/api/events";
import { systemClock } from "@aimass/core";
import { openEventBus } from "@aimass/events";
import { tinyModel } from "@aimass/onnx/samples";
import { openStore } from "@aimass/store";
import { silentTelemetry } from "@aimass/telemetry";
import { refusal } from "@aimass/testkit";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { push, startTestRegistry, type TestRegistry } from "../testing/test-registry.ts";

const grants = [
  { subject: "user:ada", resource: "default", level: Level.MANAGE },
  { subject: "user:bob", resource: "default", level: Level.DEPLOY },
  { subject: "user:eve", resource: "default", level: Level.VIEW },
  { subject: "user:eve", resource: "default.fraud@canary", verbs: ["alias.move"], level: Level.UNSPECIFIED },
];

let registry: TestRegistry;
let time = Date.UTC(2030, 0, 1);
const clock = { ...systemClock, now: () => time };

beforeAll(async () => {
  registry = await startTestRegistry({ grants, clock });
  const ada = registry.as("user:ada");
  await ada.models.createModel({ name: "fraud" });
  for (const seed of [1, 2, 3, 4]) await push(ada, "fraud", { "model.onnx": tinyModel(seed) });
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
});

function move(who: string, alias: string, version: bigint, expectedVersion?: bigint) {
  const request = { model: "fraud", alias, version, reason: `to ${version}` };
  return registry.as(who).aliases.moveAlias(expectedVersion === undefined ? request : { ...request, expectedVersion });
}

async function target(alias: string): Promise<bigint | undefined> {
  const { model } = await registry.as("user:ada").models.getModel({ name: "fraud" });
  return model?.aliases.find((candidate) => candidate.name === alias)?.version;
}

describe("an alias", () => {
  it("moves with who, when and why, and the version is found by it", async () => {
    const { move: made } = await move("user:ada", "live", 1n, 0n);
    expect(made).toMatchObject({ alias: "live", fromVersion: 0n, toVersion: 1n, movedBy: "user:ada", reason: "to 1" });
    await move("user:bob", "live", 2n, 1n);
    const { version } = await registry.as("user:eve").models.getVersion({ model: "fraud", version: "live" });
    expect(version?.version).toBe(2n);
  });

  it("moved by two people at once goes with one; the other hears ABORTED", async () => {
    await move("user:ada", "race", 1n);
    const outcomes = await Promise.allSettled([move("user:ada", "race", 2n, 1n), move("user:bob", "race", 3n, 1n)]);
    const lost = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(lost).toHaveLength(1);
    expect(lost[0]?.reason).toMatchObject({ code: "ABORTED", reason: "ALIAS_MOVED" });
    const won = outcomes.findIndex((outcome) => outcome.status === "fulfilled");
    expect(await target("race")).toBe(won === 0 ? 2n : 3n);
    const { moves } = await registry.as("user:ada").aliases.listAliasMoves({ model: "fraud", alias: "race" });
    expect(moves).toHaveLength(2);
  });

  it("that must not exist yet is not taken over", async () => {
    await move("user:ada", "fresh", 1n, 0n);
    expect(await refusal(move("user:bob", "fresh", 2n, 0n))).toMatchObject({ code: "ABORTED", reason: "ALIAS_MOVED" });
    expect(await refusal(move("user:bob", "other", 2n, 1n))).toMatchObject({ code: "ABORTED", reason: "ALIAS_MOVED" });
  });

  it("that points there already stays, without a new entry in its history", async () => {
    await move("user:ada", "still", 1n);
    const again = await move("user:bob", "still", 1n);
    expect(again.move?.movedBy).toBe("user:ada");
    const { moves } = await registry.as("user:ada").aliases.listAliasMoves({ model: "fraud", alias: "still" });
    expect(moves).toHaveLength(1);
  });

  it.each([
    ["123", 1n, "INVALID_ARGUMENT"],
    ["a.b", 1n, "INVALID_ARGUMENT"],
    ["", 1n, "INVALID_ARGUMENT"],
    ["good", 99n, "NOT_FOUND"],
    ["good", 0n, "NOT_FOUND"],
    ["good", -1n, "NOT_FOUND"],
  ])("named %j cannot point at %s: %s", async (alias, version, code) => {
    expect(await refusal(move("user:ada", alias, version))).toMatchObject({ code });
  });

  it("is moved by whoever was granted that alias alone", async () => {
    await move("user:eve", "canary", 1n);
    expect(await refusal(move("user:eve", "live", 1n))).toMatchObject({ code: "PERMISSION_DENIED" });
  });
});

describe("a rollback", () => {
  const back = (alias: string, expectedVersion?: bigint) => {
    const request = { model: "fraud", alias, reason: "it got worse" };
    return registry
      .as("user:bob")
      .aliases.rollbackAlias(expectedVersion === undefined ? request : { ...request, expectedVersion });
  };

  it("goes one move back, twice goes two back, and a new move starts from there", async () => {
    for (const version of [1n, 2n, 3n]) await move("user:ada", "prod", version);
    expect((await back("prod", 3n)).move).toMatchObject({ fromVersion: 3n, toVersion: 2n, reason: "it got worse" });
    expect((await back("prod")).move?.toVersion).toBe(1n);
    expect(await refusal(back("prod"))).toMatchObject({ code: "FAILED_PRECONDITION", reason: "NO_EARLIER_MOVE" });
    await move("user:ada", "prod", 4n);
    expect(await refusal(back("prod", 3n))).toMatchObject({ code: "ABORTED", reason: "ALIAS_MOVED" });
    expect((await back("prod")).move?.toVersion).toBe(1n);
  });

  it("does not lead to a version that was retired since", async () => {
    const ada = registry.as("user:ada");
    await ada.models.createModel({ name: "short" });
    for (const seed of [1, 2]) await push(ada, "short", { "model.onnx": tinyModel(seed) });
    for (const version of [1n, 2n]) await ada.aliases.moveAlias({ model: "short", alias: "live", version });
    await ada.models.retireVersion({ model: "short", version: 1n });
    const error = await refusal(ada.aliases.rollbackAlias({ model: "short", alias: "live" }));
    expect(error).toMatchObject({ code: "FAILED_PRECONDITION", reason: "VERSION_STATE" });
  });
});

describe("the history of an alias", () => {
  it("says what was in force at any time, also after it was removed", async () => {
    const { aliases } = registry.as("user:ada");
    const start = time;
    for (const version of [1n, 2n]) {
      time += 1000;
      await move("user:ada", "past", version);
    }
    time += 1000;
    for (const _ of [1, 2]) await aliases.deleteAlias({ model: "fraud", alias: "past", reason: "over" });
    const at = async (ms: number) => {
      const request = { model: "fraud", alias: "past", at: timestampFromMs(start + ms) };
      return (await aliases.listAliasMoves(request)).moves.map((entry) => entry.toVersion);
    };
    expect([await at(999), await at(1000), await at(1999), await at(2500), await at(9999)]).toEqual([
      [],
      [1n],
      [1n],
      [2n],
      [0n],
    ]);
    const first = await aliases.listAliasMoves({ model: "fraud", alias: "past", page: { size: 2 } });
    expect(first.moves.map((entry) => entry.toVersion)).toEqual([0n, 2n]);
    const page = { size: 2, token: first.page?.nextToken ?? "" };
    const rest = await aliases.listAliasMoves({ model: "fraud", alias: "past", page });
    expect(rest.moves.map((entry) => entry.toVersion)).toEqual([1n]);
    expect(rest.page?.nextToken).toBe("");
  });

  it("of a model that was deleted is none of a later one of its name", async () => {
    const ada = registry.as("user:ada");
    const put = async (reason: string) => {
      time += 1000;
      await ada.models.createModel({ name: "again" });
      const { version } = await push(ada, "again", { "model.onnx": tinyModel() });
      await ada.aliases.moveAlias({ model: "again", alias: "live", version, reason });
    };
    const reasons = async (at?: number) => {
      const moment = at === undefined ? {} : { at: timestampFromMs(at) };
      return (await ada.aliases.listAliasMoves({ model: "again", ...moment })).moves.map(({ reason }) => reason);
    };
    await put("theirs");
    const then = time;
    expect(await reasons(then)).toEqual(["theirs"]);
    await ada.aliases.deleteAlias({ model: "again", alias: "live" });
    await ada.models.deleteModel({ name: "again" });
    await put("ours");
    expect([await reasons(), await reasons(time), await reasons(then)]).toEqual([["ours"], ["ours"], []]);
  });

  it("stays in order when the clock goes back", async () => {
    await move("user:ada", "clock", 1n);
    time -= 60_000;
    const { move: second } = await move("user:ada", "clock", 2n);
    time += 60_000;
    const request = { model: "fraud", alias: "clock", at: timestampFromMs(time) };
    const { moves } = await registry.as("user:ada").aliases.listAliasMoves(request);
    expect(moves).toEqual([second]);
  });
});

describe("what changes", () => {
  it("is told after it is committed, with who did it; acts of governance are for the ledger", async () => {
    const events: Event[] = [];
    const url = registry.databaseUrl;
    await using store = await openStore({ url, schema: "listener", migrations: [] });
    const telemetry = silentTelemetry();
    const identity = registry.identity("trainer");
    await using bus = await openEventBus({ identity, store, databaseUrl: url, clock: systemClock, telemetry });
    const ended = new AbortController();
    const handle = async (event: Event) => {
      if (event.resource.startsWith("default.told")) events.push(event);
    };
    await bus.subscribe({ consumer: "registry-spec", signal: ended.signal, handle });
    const ada = registry.as("user:ada");
    await ada.models.createModel({ name: "told" });
    await push(ada, "told", { "model.onnx": tinyModel() });
    await refusal(ada.aliases.moveAlias({ model: "told", alias: "live", version: 9n }));
    await ada.aliases.moveAlias({ model: "told", alias: "live", version: 1n, reason: "first" });
    await expect.poll(() => events.length, { timeout: 10_000 }).toBe(3);
    ended.abort();
    expect(events.map((event) => [event.payload.case, event.audited, event.actor, event.resource])).toEqual([
      ["modelChanged", true, "user:ada", "default.told"],
      ["versionChanged", true, "user:ada", "default.told"],
      ["aliasMoved", true, "user:ada", "default.told@live"],
    ]);
    expect(events[2]?.payload.value).toMatchObject({
      fromVersion: 0n,
      toVersion: 1n,
      reason: "first",
      rollback: false,
    });
  });
});
