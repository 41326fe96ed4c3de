import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RouteEntrySchema, RouteUpdateSchema } from "@aimass/api/scheduler";
import { systemClock } from "@aimass/core";
import { bestTurn, longestTurn } from "@aimass/testkit";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ReplicaPool } from "../replicas/replica-pool.ts";
import { modelEntry, replicaEntry, routeDigest, routeUpdate } from "../testing/router-fixture.ts";
import { RouteTable } from "./route-table.ts";

const start = [replicaEntry("a", "127.0.0.1:1"), modelEntry("m", { 1: ["a"] })];

function delta(
  after: readonly Parameters<typeof create<typeof RouteEntrySchema>>[1][],
  changed: number[],
  removedKeys: string[] = [],
) {
  const made = after.map((entry) => create(RouteEntrySchema, entry));
  return create(RouteUpdateSchema, {
    epoch: "test",
    version: 2n,
    entries: changed.map((i) => made[i] as (typeof made)[number]),
    removedKeys,
    digest: routeDigest(made),
  });
}

describe("RouteTable", () => {
  it("follows a snapshot and a delta", () => {
    const table = new RouteTable(systemClock);
    table.apply(routeUpdate(start, 1n));
    expect(table.models.get("default.m")?.newestFirst[0]?.replicaIds).toEqual(["a"]);
    const after = [replicaEntry("b", "127.0.0.1:2"), modelEntry("m", { 1: ["b"], 2: ["b"] })];
    table.apply(delta(after, [0, 1], ["replica/a"]));
    expect([...table.replicas.keys()]).toEqual(["b"]);
    expect(table.models.get("default.m")?.newestFirst.map((v) => v.version)).toEqual(["2", "1"]);
  });

  it("keeps the state before when a digest does not fit, and says so", () => {
    const table = new RouteTable(systemClock);
    table.apply(routeUpdate(start, 1n));
    const lost = delta([replicaEntry("b", "127.0.0.1:2"), ...start], []);
    expect(() => table.apply(lost)).toThrowError(expect.objectContaining({ reason: "ROUTE_GAP" }));
    expect([...table.replicas.keys()]).toEqual(["a"]);
    expect(table.version).toBe(1n);
  });

  it("refuses a delta of another epoch and an older snapshot of this one", () => {
    const table = new RouteTable(systemClock);
    table.apply(routeUpdate(start, 5n));
    expect(() => table.apply({ ...delta(start, []), epoch: "other" })).toThrow("another epoch");
    expect(() => table.apply(routeUpdate(start, 4n))).toThrow("older");
    table.apply(routeUpdate([], 1n, "restored"));
    expect(table.models.size).toBe(0);
  });

  it("is the same after a restart from its file, and survives a damaged one", async () => {
    const folder = await mkdtemp(join(tmpdir(), "routes-"));
    try {
      const file = join(folder, "state", "routes.bin");
      const before = new RouteTable(systemClock);
      before.apply(routeUpdate(start, 3n));
      await before.save(file);
      const after = new RouteTable(systemClock);
      expect(await after.load(file)).toBe(true);
      expect([after.version, after.models.size, after.replicas.size]).toEqual([3n, 1, 1]);
      await writeFile(file, "damaged");
      const other = new RouteTable(systemClock);
      expect(await other.load(file)).toBe(false);
      expect(other.hasState).toBe(false);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("a fleet of 10 000 routes", () => {
  const replicas = Array.from({ length: 20 }, (_, i) => replicaEntry(`r${i}`, `127.0.0.1:${i + 1}`));
  const models = Array.from({ length: 10_000 }, (_, i) => {
    const holders = [`r${i % 20}`, `r${(i + 1) % 20}`];
    return modelEntry(`project${i % 50}.model${i}`, { 1: holders, 2: holders }, { prod: { 2: 10_000 } });
  });
  const fleet = [...replicas, ...models];

  it("is taken and written without holding the event loop up, and answers by the state before until it is whole", async () => {
    const folder = await mkdtemp(join(tmpdir(), "routes-"));
    try {
      const file = join(folder, "routes.bin");
      const update = routeUpdate(fleet, 2n);
      let table = new RouteTable(systemClock);
      const taking = await bestTurn(async () => {
        table = new RouteTable(systemClock);
        table.apply(routeUpdate(start, 1n));
        using _ = new ReplicaPool(table, systemClock);
        const sizes = new Set<number>();
        const looking = setInterval(() => sizes.add(table.models.size), 1);
        const turn = await longestTurn(() => table.applyInTurns(update));
        clearInterval(looking);
        expect([...sizes].filter((size) => size !== 1 && size !== 10_000)).toEqual([]);
        return turn;
      });
      const saving = await bestTurn(() => longestTurn(() => table.save(file)));
      expect(taking).toBeLessThan(50);
      expect(saving).toBeLessThan(50);
      const restarted = new RouteTable(systemClock);
      expect(await restarted.load(file)).toBe(true);
      expect([restarted.version, restarted.models.size, restarted.replicas.size]).toEqual([2n, 10_000, 20]);
    } finally {
      await rm(folder, { recursive: true });
    }
  }, 120_000);

  it("is given up when another update was taken meanwhile", async () => {
    const table = new RouteTable(systemClock);
    const overtaken = table.applyInTurns(routeUpdate(fleet, 1n));
    table.apply(routeUpdate(start, 2n));
    await expect(overtaken).rejects.toMatchObject({ reason: "ROUTE_GAP" });
    expect([table.version, table.models.size]).toEqual([2n, 1]);
  });
});
