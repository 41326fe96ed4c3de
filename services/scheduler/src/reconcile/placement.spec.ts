import { describe, expect, it } from "vitest";
import { modelRoute, Situation } from "./situation.ts";

const fraud = "default.fraud";
const six = ["default.m1", "default.m2", "default.m3", "default.m4", "default.m5", "default.m6"];

function sharded(): Situation {
  const s = new Situation()
    .replica("n/cpu-0", { memoryUsed: 2 ** 20 })
    .replica("n/cpu-1", { memoryUsed: 7 * 2 ** 20 })
    .replica("n/cpu-2");
  for (const key of six) s.model(key, { default: 1 }).deploy(key, { replicas: 2 });
  s.settle();
  return s;
}

function counts(s: Situation): Record<string, number> {
  const result: Record<string, number> = {};
  for (const p of s.decisions.placements) result[p.replica] = (result[p.replica] ?? 0) + 1;
  return result;
}

describe("six models over three replicas, each on two", () => {
  it("are spread evenly", () => {
    expect(counts(sharded())).toEqual({ "n/cpu-0": 4, "n/cpu-1": 4, "n/cpu-2": 4 });
  });

  it("stay where they are when nothing changes", () => {
    const s = sharded();
    const before = s.decisions;
    s.replica("n/cpu-0", { memoryUsed: 600 * 2 ** 20 }).settle(60_000);
    expect(s.decisions).toEqual(before);
  });

  it("stay where they are over a rollout of one of them", () => {
    const s = sharded();
    const before = s.holders("default.m3", 1);
    s.model("default.m3", { default: 2 }).settle();
    expect(s.holders("default.m3", 2)).toEqual(before);
  });

  it("keep their other replica while one is given up, and move to the third", () => {
    const s = sharded();
    const outcome = s.replica("n/cpu-1", { presence: "gone", held: [] }).reconcile();
    for (const key of six)
      expect((modelRoute(outcome, key).versions as Record<number, string[]>)[1]?.length).toBeGreaterThan(0);
    s.settle();
    expect(counts(s)).toEqual({ "n/cpu-0": 6, "n/cpu-2": 6 });
  });

  it("go home when the replica comes back", () => {
    const s = sharded();
    const before = s.decisions.placements;
    s.replica("n/cpu-1", { presence: "gone", held: [] }).settle();
    s.replica("n/cpu-1", { presence: "attached", incarnation: "2" }).settle();
    s.settle(5000);
    expect(s.decisions.placements).toEqual(before);
  });

  it("do not leave the stand-in before the returned replica is ready", () => {
    const s = sharded();
    s.replica("n/cpu-1", { presence: "gone", held: [] }).settle();
    s.replica("n/cpu-1", { presence: "attached", incarnation: "2" });
    const outcome = s.reconcile();
    for (const key of six)
      expect((modelRoute(outcome, key).versions as Record<number, string[]>)[1]).toEqual(["n/cpu-0", "n/cpu-2"]);
  });
});

describe("a replica that is missing for a moment", () => {
  it("keeps its placements and its routes, and gets nothing new", () => {
    const s = sharded();
    const before = s.decisions;
    s.replica("n/cpu-1", { presence: "missing" });
    expect(modelRoute(s.reconcile(), six[0] as string)).toMatchObject({ aliases: { default: 1 } });
    s.model(fraud, { default: 1 }).deploy(fraud, { replicas: 3 }).reconcile();
    expect(s.holders(fraud, 1)).toEqual(["n/cpu-0", "n/cpu-2"]);
    expect(s.decisions.placements.filter((p) => p.key !== fraud)).toEqual(before.placements);
  });
});

describe("the only replica of a version", () => {
  it("keeps its placement while it is gone, and the route says why nothing answers", () => {
    const s = new Situation().replica("a").model(fraud, { default: 1 }).deploy(fraud);
    s.settle();
    const outcome = s.replica("a", { presence: "gone", held: [] }).settle();
    expect(s.holders(fraud, 1)).toEqual(["a"]);
    expect(modelRoute(outcome, fraud)).toMatchObject({
      versions: { 1: [] },
      reasons: { 1: "Version 1 of default.fraud is not served: the replicas that held it (a) are gone." },
    });
  });
});

describe("a draining replica", () => {
  it("answers until its versions are ready elsewhere, then is flagged", () => {
    const s = new Situation().replica("a").replica("b").model(fraud, { default: 1 }).deploy(fraud);
    s.settle();
    const [home] = s.holders(fraud, 1) as [string];
    const other = home === "a" ? "b" : "a";
    const started = s.replica(home, { draining: true }).reconcile();
    expect(modelRoute(started, fraud).versions).toEqual({ 1: [home] });
    expect(replicaFlags(started)).toEqual({ a: false, b: false });
    const moved = s.obey();
    expect(modelRoute(moved, fraud).versions).toEqual({ 1: [other] });
    expect(replicaFlags(moved)).toEqual({ [home]: true, [other]: false });
    expect(s.drainers(fraud, 1)).toEqual([home]);
    s.settle(5000);
    expect(s.decisions.placements.map((p) => p.replica)).toEqual([other]);
  });

  it("keeps what fits nowhere else", () => {
    const s = new Situation().replica("a").model(fraud, { default: 1 }).deploy(fraud);
    s.settle();
    const outcome = s.replica("a", { draining: true }).settle();
    expect(modelRoute(outcome, fraud).versions).toEqual({ 1: ["a"] });
  });

  it("takes its versions back when it is resumed", () => {
    const s = new Situation().replica("a").replica("b").model(fraud, { default: 1 }).deploy(fraud);
    s.settle();
    const [home] = s.holders(fraud, 1) as [string];
    s.replica(home, { draining: true }).settle();
    s.settle(5000);
    s.replica(home, { draining: false }).settle();
    expect(s.holders(fraud, 1)).toEqual([home]);
  });
});

describe("room", () => {
  it("decides where a big model goes", () => {
    const s = new Situation()
      .replica("a", { memoryUsed: 1000 * 2 ** 20 })
      .replica("b")
      .model(fraud, { default: 1 }, [1], 500)
      .deploy(fraud);
    s.settle();
    expect(s.holders(fraud, 1)).toEqual(["b"]);
  });

  it("counts what is promised and not loaded yet", () => {
    const s = new Situation()
      .replica("a")
      .model("default.m1", { default: 1 }, [1], 600)
      .model("default.m2", { default: 1 }, [1], 600);
    s.deploy("default.m1").deploy("default.m2").reconcile();
    expect(s.decisions.placements.map((p) => p.key)).toEqual(["default.m1"]);
  });

  it("is made by unloading warm versions", () => {
    const s = new Situation()
      .replica("a", { memoryLimit: 1000 * 2 ** 20, memoryUsed: 0 })
      .model(fraud, { default: 1 }, [1, 2], 300)
      .deploy(fraud);
    s.settle();
    s.replica("a", { memoryUsed: 300 * 2 ** 20 })
      .model(fraud, { default: 2 }, [], 300)
      .settle();
    s.replica("a", { memoryUsed: 600 * 2 ** 20 });
    expect(s.holders(fraud, 1)).toEqual(["a"]);
    s.model("default.big", { default: 1 }, [1], 600).deploy("default.big").reconcile();
    expect(s.drainers(fraud, 1)).toEqual(["a"]);
    expect(s.holders("default.big", 1)).toEqual([]);
    s.obey(5000);
    s.replica("a", { memoryUsed: 300 * 2 ** 20 }).reconcile();
    expect(s.holders("default.big", 1)).toEqual(["a"]);
    s.replica("a", { memoryUsed: 900 * 2 ** 20 }).settle();
    expect(s.holders(fraud, 1)).toEqual([]);
    expect(s.holders(fraud, 2)).toEqual(["a"]);
  });
});

describe("versions on demand", () => {
  /** One replica with 900 MiB of room; a model of so many MiB on demand for each size. */
  function withOnDemand(...sizes: readonly number[]): Situation {
    const s = new Situation().replica("a", { memoryLimit: 1000 * 2 ** 20, memoryUsed: 100 * 2 ** 20 });
    for (const [i, mib] of sizes.entries()) {
      s.model(`default.lazy${i}`, { default: 1 }, [1], mib).deploy(`default.lazy${i}`, { onDemand: true });
    }
    return s;
  }

  const placed = (s: Situation) => s.decisions.placements.map((placement) => placement.key).sort();

  it("share the room of the largest of them, however many they are", () => {
    const sizes = Array.from({ length: 50 }, (_, i) => 100 + i * 10);
    const s = withOnDemand(...sizes);
    s.settle();
    expect(placed(s)).toHaveLength(50);
  });

  it("leave the rest to resident ones, and no more", () => {
    const s = withOnDemand(400, 300);
    s.model("default.fits", { default: 1 }, [1], 500).model("default.does-not", { default: 1 }, [1], 10);
    s.settle();
    s.deploy("default.fits").reconcile();
    s.deploy("default.does-not").reconcile();
    expect(placed(s)).toEqual(["default.fits", "default.lazy0", "default.lazy1"]);
  });

  it("are not placed where they could never be in memory", () => {
    const s = withOnDemand(901);
    s.settle();
    expect(placed(s)).toEqual([]);
    s.replica("a", { memoryLimit: 1001 * 2 ** 20 }).settle();
    expect(placed(s)).toEqual(["default.lazy0"]);
  });

  it("give the room of the largest back when it goes", () => {
    const s = withOnDemand(800, 300);
    s.model("default.fits", { default: 1 }, [1], 600).settle();
    s.deploy("default.fits").settle();
    expect(placed(s)).toEqual(["default.lazy0", "default.lazy1"]);
    s.deployments.delete("default.lazy0");
    s.reconcile();
    s.obey(5000);
    expect(placed(s)).toEqual(["default.fits", "default.lazy1"]);
  });

  it("take the room of resident ones that are only kept warm", () => {
    const s = withOnDemand().model(fraud, { default: 1 }, [1, 2], 300).deploy(fraud);
    s.settle();
    s.replica("a", { memoryUsed: 400 * 2 ** 20 })
      .model(fraud, { default: 2 }, [], 300)
      .settle();
    s.replica("a", { memoryUsed: 700 * 2 ** 20 });
    s.model("default.lazy", { default: 1 }, [1], 600).deploy("default.lazy", { onDemand: true }).reconcile();
    expect(s.drainers(fraud, 1)).toEqual(["a"]);
    s.obey(5000);
    s.replica("a", { memoryUsed: 400 * 2 ** 20 }).reconcile();
    expect(s.holders("default.lazy", 1)).toEqual(["a"]);
  });
});

describe("where a deployment may run", () => {
  it("honours the device kind", () => {
    const s = new Situation()
      .replica("a/cpu-0")
      .replica("a/gpu-0")
      .model(fraud, { default: 1 })
      .deploy(fraud, { deviceKind: "gpu", replicas: 2 });
    s.settle();
    expect(s.holders(fraud, 1)).toEqual(["a/gpu-0"]);
  });

  it("spreads over nodes first", () => {
    const s = new Situation()
      .replica("a/cpu-0")
      .replica("a/cpu-1")
      .replica("b/cpu-0", { memoryUsed: 900 * 2 ** 20 });
    s.model(fraud, { default: 1 }).deploy(fraud, { replicas: 2 }).settle();
    expect(new Set(s.holders(fraud, 1).map((id) => id.split("/")[0]))).toEqual(new Set(["a", "b"]));
  });

  it("asks agents for dedicated replicas, uses them alone, and gives them back", () => {
    const s = new Situation()
      .replica("a/cpu-0")
      .model(fraud, { default: 1 })
      .deploy(fraud, { dedicated: true, replicas: 2 });
    for (const name of ["a", "b"]) s.node(name);
    s.settle();
    const ids = ["a/cpu-0/default.fraud", "b/cpu-0/default.fraud"];
    expect(s.decisions.dedicated.map((want) => want.id)).toEqual(ids);
    expect(s.holders(fraud, 1)).toEqual([]);
    for (const id of ids) s.replica(id, { dedicatedTo: fraud });
    s.settle();
    expect(s.holders(fraud, 1)).toEqual(ids);
    s.deployments.clear();
    s.reconcile();
    expect(s.decisions.dedicated.map((want) => want.id)).toEqual(ids);
    s.obey(5000);
    expect(s.decisions.dedicated).toEqual([]);
  });

  it("asks no agent of a drained machine for a dedicated replica, until it takes versions again", () => {
    const s = new Situation().model(fraud, { default: 1 }).deploy(fraud, { dedicated: true, replicas: 2 });
    for (const name of ["a", "b"]) {
      s.node(name);
      s.replica(`${name}/cpu-0`, { draining: name === "a" });
    }
    s.settle();
    expect(s.decisions.dedicated.map((want) => want.node)).toEqual(["b"]);
    s.replica("a/cpu-0", { draining: false }).settle();
    expect(s.decisions.dedicated.map((want) => want.node)).toEqual(["a", "b"]);
  });

  it("moves dedicated replicas off a machine that is drained as a whole, and asks its agent for none, whatever it has", () => {
    const s = new Situation().node("a").model(fraud, { default: 1 }).deploy(fraud, { dedicated: true });
    const [there, next] = ["a/cpu-0/default.fraud", "b/cpu-0/default.fraud"];
    s.settle();
    s.replica(there, { dedicatedTo: fraud }).settle();
    expect(s.holders(fraud, 1)).toEqual([there]);
    s.node("a", { draining: true }).node("b").replica(there, { draining: true }).settle();
    // Until it is served elsewhere.
    expect(s.decisions.dedicated.map((want) => want.id)).toEqual([there, next]);
    s.replica(next, { dedicatedTo: fraud }).settle();
    s.obey(5000);
    expect(s.decisions.dedicated.map((want) => want.id)).toEqual([next]);
    expect(s.holders(fraud, 1)).toEqual([next]);
  });

  it("moves from shared to dedicated replicas without a gap", () => {
    const s = new Situation().replica("a/cpu-0").model(fraud, { default: 1 }).deploy(fraud);
    s.node("a");
    s.settle();
    const waiting = s.deploy(fraud, { dedicated: true }).settle();
    expect(modelRoute(waiting, fraud).versions).toEqual({ 1: ["a/cpu-0"] });
    const moved = s.replica("a/cpu-0/default.fraud", { dedicatedTo: fraud }).settle();
    expect(modelRoute(moved, fraud).versions).toEqual({ 1: ["a/cpu-0/default.fraud"] });
  });
});

function replicaFlags(outcome: ReturnType<Situation["reconcile"]>): Record<string, boolean> {
  return Object.fromEntries(
    outcome.routes.flatMap((r) => (r.entry.case === "replica" ? [[r.entry.value.id, r.entry.value.draining]] : [])),
  );
}
