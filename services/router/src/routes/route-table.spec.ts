import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RouteEntrySchema, RouteUpdateSchema } from "@aimass/api/scheduler";
import { systemClock } from "@aimass/core";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
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
