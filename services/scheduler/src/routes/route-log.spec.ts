import { RouteEntrySchema } from "@aimass/api/scheduler";
import { KeyedState } from "@aimass/identity";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextRoutes } from "./postgres-routes.ts";
import { RouteLog, routeEntryBytes } from "./route-log.ts";

const empty = () =>
  new RouteLog(
    { epoch: "e", version: 0n, digest: new KeyedState().digest(), historyFrom: 0n },
    { written: [], removed: [] },
  );

function entry(id: string, address: string) {
  return create(RouteEntrySchema, { key: `replica/${id}`, entry: { case: "replica", value: { id, address } } });
}

/** Makes a log the given routes, as the leader does. */
function advance(log: RouteLog, routes: Record<string, string>): void {
  const next = nextRoutes(
    log,
    Object.entries(routes).map(([id, address]) => entry(id, address)),
  );
  if (next !== undefined) log.apply(next.head, next.changes);
}

describe("RouteLog", () => {
  it("gives everything to who holds nothing or another epoch, and only what changed to who holds a version", () => {
    const log = empty();
    advance(log, { a: "1", b: "1" });
    advance(log, { a: "2", c: "1" });
    const full = log.updateSince("", 0n, 0);
    expect(full).toMatchObject({ full: true, version: 2n, removedKeys: [] });
    expect(full.entries.map((e) => e.key)).toEqual(["replica/a", "replica/c"]);
    expect(log.updateSince("other", 1n, 0).full).toBe(true);
    const delta = log.updateSince("e", 1n, 0);
    expect(delta).toMatchObject({ full: false, version: 2n, removedKeys: ["replica/b"] });
    expect(delta.entries.map((e) => e.key)).toEqual(["replica/a", "replica/c"]);
    expect(log.updateSince("e", 2n, 0)).toMatchObject({ full: false, entries: [], removedKeys: [] });
  });

  it("gives everything to who holds a version from the future, as after a restored database", () => {
    const log = empty();
    advance(log, { a: "1" });
    expect(log.updateSince("e", 9n, 0).full).toBe(true);
  });

  it("does not move on when nothing changed", () => {
    const log = empty();
    advance(log, { a: "1" });
    advance(log, { a: "1" });
    expect(log.head.version).toBe(1n);
  });

  it("brings a holder of any version to the same state and digest", () => {
    const state = fc.dictionary(fc.constantFrom("a", "b", "c", "d"), fc.constantFrom("1", "2"));
    fc.assert(
      fc.property(fc.array(state, { minLength: 1, maxLength: 12 }), fc.nat(), (states, at) => {
        const log = empty();
        const holder = new KeyedState();
        let held = 0n;
        states.forEach((routes, i) => {
          advance(log, routes);
          if (i > at % states.length) return;
          held = catchUp(holder, log, held);
        });
        catchUp(holder, log, held);
        expect(log.isSound).toBe(true);
        expect(Buffer.from(holder.digest()).toString("hex")).toBe(Buffer.from(log.head.digest).toString("hex"));
      }),
    );
  });
});

function catchUp(holder: KeyedState, log: RouteLog, held: bigint): bigint {
  const update = log.updateSince(held === 0n ? "" : "e", held, 0);
  if (update.full) for (const key of [...holder.keys()]) holder.delete(key);
  for (const key of update.removedKeys) holder.delete(key);
  for (const changed of update.entries) holder.set(changed.key, routeEntryBytes(changed));
  return update.version;
}
