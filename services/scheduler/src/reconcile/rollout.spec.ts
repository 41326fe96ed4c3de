import { RolloutPhase } from "@aimass/api/scheduler";
import { describe, expect, it } from "vitest";
import { planDeployment } from "./plan.ts";
import { modelRoute, Situation } from "./situation.ts";
import type { DesiredDeployment } from "./snapshot.ts";

const fraud = "default.fraud";

/** fraud v1 serves on two replicas. */
function served(): Situation {
  const s = new Situation()
    .replica("a")
    .replica("b")
    .model(fraud, { default: 1 }, [1, 2, 3])
    .deploy(fraud, { replicas: 2 });
  s.settle();
  return s;
}

describe("a first deployment", () => {
  it("takes no traffic before it is loaded", () => {
    const s = new Situation().replica("a").model(fraud, { default: 1 }).deploy(fraud);
    const outcome = s.reconcile();
    expect(s.holders(fraud, 1)).toEqual(["a"]);
    expect(modelRoute(outcome, fraud)).toMatchObject({ versions: { 1: [] }, aliases: {} });
    expect(outcome.statuses.get(fraud)?.versions[0]?.phase).toBe(RolloutPhase.LOADING);
  });

  it("goes through loading, warming and probing to serving", () => {
    const s = new Situation().replica("a").replica("b").model(fraud, { default: 1 }).deploy(fraud, { replicas: 2 });
    s.reconcile();
    const phases = [];
    for (const state of ["fetching", "loading", "warming", "ready"] as const) {
      const outcome = s.report("a", fraud, 1, "ready").report("b", fraud, 1, state).reconcile();
      phases.push(outcome.statuses.get(fraud)?.versions[0]?.phase);
    }
    expect(phases).toEqual([RolloutPhase.LOADING, RolloutPhase.LOADING, RolloutPhase.WARMING, RolloutPhase.SERVING]);
  });

  it("says who serves what in one sentence", () => {
    const status = served().reconcile().statuses.get(fraud);
    expect(status).toMatchObject({ settled: true, summary: "fraud v1 serves on 2 of 2 replicas." });
  });

  it("serves on as many replicas as there are and says so", () => {
    const s = new Situation().replica("a").replica("b").model(fraud, { default: 1 }).deploy(fraud, { replicas: 3 });
    const status = s.settle().statuses.get(fraud);
    expect(status).toMatchObject({
      settled: false,
      summary: "fraud v1 serves on 2 of 3 replicas, of which there are 2.",
    });
  });

  it("waits when no replica is up", () => {
    const s = new Situation().model(fraud, { default: 1 }).deploy(fraud);
    expect(s.settle().statuses.get(fraud)?.summary).toBe("fraud v1 waits: no replica is up.");
  });

  it("waits for its alias", () => {
    const s = new Situation().replica("a").model(fraud, {}, [1]).deploy(fraud);
    expect(s.settle().statuses.get(fraud)?.summary).toBe("fraud alias default points at no version yet.");
  });

  it("serves versions asked for by number without an alias", () => {
    const s = new Situation()
      .replica("a")
      .model(fraud, { default: 1 }, [1, 2])
      .deploy(fraud, { versions: [2] });
    expect(modelRoute(s.settle(), fraud)).toMatchObject({ versions: { 1: ["a"], 2: ["a"] }, aliases: { default: 1 } });
  });
});

describe("a moved alias", () => {
  it("keeps the old version in the routes while the new one loads", () => {
    const s = served().model(fraud, { default: 2 });
    expect(modelRoute(s.reconcile(), fraud).aliases).toEqual({ default: 1 });
    s.report("a", fraud, 2, "ready");
    expect(modelRoute(s.reconcile(), fraud)).toMatchObject({
      aliases: { default: 1 },
      versions: { 1: ["a", "b"], 2: [] },
    });
    s.report("b", fraud, 2, "ready");
    expect(modelRoute(s.reconcile(), fraud)).toMatchObject({ aliases: { default: 2 }, versions: { 2: ["a", "b"] } });
  });

  it("leaves the version before it warm", () => {
    const outcome = served().model(fraud, { default: 2 }).settle();
    expect(outcome.statuses.get(fraud)?.versions.map((v) => v.phase)).toEqual([
      RolloutPhase.WARM,
      RolloutPhase.SERVING,
    ]);
    expect(modelRoute(outcome, fraud).versions).toEqual({ 1: ["a", "b"], 2: ["a", "b"] });
  });

  it("back to a warm version shifts in the same pass", () => {
    const s = served().model(fraud, { default: 2 });
    s.settle();
    const outcome = s.model(fraud, { default: 1 }).reconcile();
    expect(modelRoute(outcome, fraud)).toMatchObject({ aliases: { default: 1 }, versions: { 1: ["a", "b"] } });
  });

  it("drains versions beyond keep_warm for the drain time, then lets go", () => {
    const s = served().model(fraud, { default: 2 });
    s.settle();
    const outcome = s.model(fraud, { default: 3 }).settle();
    expect(modelRoute(outcome, fraud).versions).toEqual({ 2: ["a", "b"], 3: ["a", "b"] });
    expect(outcome.statuses.get(fraud)?.versions[0]).toMatchObject({ version: 1n, phase: RolloutPhase.DRAINING });
    expect(s.drainers(fraud, 1)).toEqual(["a", "b"]);
    s.reconcile(4999);
    expect(s.drainers(fraud, 1)).toEqual(["a", "b"]);
    s.reconcile(1);
    expect(s.drainers(fraud, 1)).toEqual([]);
  });

  it("with keep_warm 0 drains the old version at once", () => {
    const s = served().deploy(fraud, { keepWarm: 0 }).model(fraud, { default: 2 });
    s.settle();
    expect(s.drainers(fraud, 1)).toEqual(["a", "b"]);
  });

  it("back to a draining version needs no loading", () => {
    const s = served().deploy(fraud, { keepWarm: 0 }).model(fraud, { default: 2 });
    s.settle();
    const outcome = s.model(fraud, { default: 1 }).reconcile(1000);
    expect(modelRoute(outcome, fraud).aliases).toEqual({ default: 1 });
    expect(s.drainers(fraud, 1)).toEqual([]);
  });

  it("moved on before the version was ready drops that version at once", () => {
    const s = served().model(fraud, { default: 2 });
    s.reconcile();
    s.model(fraud, { default: 3 }).reconcile();
    expect(s.holders(fraud, 2)).toEqual([]);
    expect(s.drainers(fraud, 2)).toEqual([]);
  });

  it("that is removed takes its route away", () => {
    const s = served().model(fraud, {}, [1, 2, 3]);
    expect(modelRoute(s.settle(), fraud).aliases).toEqual({});
  });
});

describe("the role of a version in the routes", () => {
  it.each([
    { name: "served", aliases: { prod: 1 }, warm: [], belonging: { 1: ["prod"] } },
    {
      name: "rolled back",
      aliases: { prod: 2 },
      moved: { prod: 1 },
      warm: [2],
      belonging: { 1: ["prod"], 2: ["prod"] },
    },
    { name: "of an alias that was removed", aliases: { prod: 1 }, moved: {}, warm: [1], belonging: { 1: ["prod"] } },
    {
      name: "of one alias and left by another",
      aliases: { prod: 1, next: 1 },
      moved: { prod: 2, next: 1 },
      warm: [],
      belonging: { 1: ["next"], 2: ["prod"] },
    },
    { name: "asked for by number", aliases: { prod: 1 }, versions: [3], warm: [], belonging: { 1: ["prod"], 3: [] } },
  ])("is told: $name", ({ aliases, moved = aliases, versions = [], warm, belonging }) => {
    const names = { aliases: ["next", "prod"], versions };
    const s = new Situation().replica("a").model(fraud, aliases, [1, 2, 3]).deploy(fraud, names);
    s.settle();
    expect(modelRoute(s.model(fraud, moved, []).settle(), fraud)).toMatchObject({ warm, belonging });
  });

  it("names an alias that goes nowhere, so that a router tells it from one that was never deployed", () => {
    const outcome = new Situation().replica("a").model(fraud, {}, [1]).deploy(fraud).settle();
    const entry = outcome.routes.find((route) => route.key === `model/${fraud}`)?.entry;
    expect(entry?.value).toMatchObject({ aliases: [{ alias: "default", targets: [] }] });
  });

  it("names the alias of a version that is still loading for it", () => {
    const outcome = new Situation().replica("a").model(fraud, { default: 1 }).deploy(fraud).reconcile();
    expect(modelRoute(outcome, fraud)).toMatchObject({ aliases: {}, belonging: { 1: ["default"] } });
  });
});

describe("a bad version", () => {
  it("that fails to load never takes traffic", () => {
    const s = served().model(fraud, { default: 2 });
    s.reconcile();
    s.report("a", fraud, 2, "ready").report("b", fraud, 2, "failed", { reason: "no such operator" });
    const outcome = s.reconcile();
    expect(modelRoute(outcome, fraud)).toMatchObject({ aliases: { default: 1 }, versions: { 1: ["a", "b"], 2: [] } });
    expect(outcome.statuses.get(fraud)?.summary).toBe(
      "fraud v1 serves on 2 of 2 replicas; v2 failed: it failed to load on b: no such operator.",
    );
  });

  it("that answers differently on two replicas never takes traffic", () => {
    const s = served().model(fraud, { default: 2 });
    s.reconcile();
    s.report("a", fraud, 2, "ready", { parity: "aa" }).report("b", fraud, 2, "ready", { parity: "bb" });
    const outcome = s.reconcile();
    expect(modelRoute(outcome, fraud)).toMatchObject({ aliases: { default: 1 }, versions: { 2: [] } });
    expect(outcome.statuses.get(fraud)?.versions[1]).toMatchObject({
      phase: RolloutPhase.FAILED,
      reason: "a and b answer the probe input of default.fraud@2 differently",
    });
  });

  it("may differ between device kinds", () => {
    const s = new Situation()
      .replica("a/cpu-0")
      .replica("a/gpu-0")
      .model(fraud, { default: 1 })
      .deploy(fraud, { replicas: 2 });
    s.reconcile();
    s.report("a/cpu-0", fraud, 1, "ready", { parity: "aa" }).report("a/gpu-0", fraud, 1, "ready", { parity: "bb" });
    expect(modelRoute(s.reconcile(), fraud).versions).toEqual({ 1: ["a/cpu-0", "a/gpu-0"] });
  });

  it("that the library does not have fails with a sentence", () => {
    const s = served().deploy(fraud, { versions: [9] });
    expect(s.settle().statuses.get(fraud)?.versions.at(-1)).toMatchObject({
      version: 9n,
      phase: RolloutPhase.FAILED,
      reason: "the library has no such version that is READY",
    });
  });

  it("that comes to answer differently on one replica is taken out there alone", () => {
    const s = served();
    s.replica("b", { incarnation: "2" }).report("b", fraud, 1, "ready", { parity: "bb" });
    expect(modelRoute(s.reconcile(), fraud).versions).toEqual({ 1: ["a"] });
  });

  it("keeps serving when all replicas come back with one new answer", () => {
    const s = served();
    s.report("a", fraud, 1, "ready", { parity: "cc" }).report("b", fraud, 1, "ready", { parity: "cc" });
    expect(modelRoute(s.reconcile(), fraud).versions).toEqual({ 1: ["a", "b"] });
  });
});

describe("a quarantined version", () => {
  it("is unassigned and its route says why", () => {
    const s = served();
    s.quarantine = [{ key: fraud, version: 1, crashes: 2 }];
    const outcome = s.reconcile();
    expect(s.decisions.placements).toEqual([]);
    expect(modelRoute(outcome, fraud)).toMatchObject({
      aliases: { default: 1 },
      versions: { 1: [] },
      reasons: {
        1: "Version 1 of default.fraud is not served: it is quarantined: it was running in 2 crashes of a replica.",
      },
    });
  });

  it("serves again after its release, through the whole gate", () => {
    const s = served();
    s.quarantine = [{ key: fraud, version: 1, crashes: 2 }];
    s.settle();
    s.quarantine = [];
    expect(modelRoute(s.reconcile(), fraud).versions).toEqual({ 1: [] });
    expect(modelRoute(s.settle(), fraud).versions).toEqual({ 1: ["a", "b"] });
  });
});

describe("an ended deployment", () => {
  it("drains its versions and leaves the routes", () => {
    const s = served();
    s.deployments.clear();
    expect(s.reconcile().routes.map((route) => route.key)).toEqual(["replica/a", "replica/b"]);
    expect(s.drainers(fraud, 1)).toEqual(["a", "b"]);
    s.reconcile(5000);
    expect(s.decisions).toEqual({ placements: [], rollouts: [], admissions: [], dedicated: [] });
  });
});

describe("a paused deployment", () => {
  const paused = (s: Situation) => s.deploy(fraud, { paused: true });

  it("stays at what it serves when its alias moves, and loads nothing of the new version", () => {
    const s = paused(served()).model(fraud, { default: 2 });
    const outcome = s.settle();
    expect(modelRoute(outcome, fraud).aliases).toEqual({ default: 1 });
    expect(s.holders(fraud, 2)).toEqual([]);
    expect(outcome.statuses.get(fraud)).toMatchObject({
      settled: true,
      aliases: [{ alias: "default", wantedVersion: 2n, servedVersion: 1n }],
      summary: "fraud v1 serves on 2 of 2 replicas; is paused: alias default stays at v1, and points at v2.",
    });
  });

  it("says once of an alias that was deleted what it serves on", () => {
    const status = paused(served()).model(fraud, {}, [1]).settle().statuses.get(fraud);
    expect(status?.summary).toBe(
      "fraud v1 serves on 2 of 2 replicas; is paused: alias default stays at v1, and points at no version.",
    );
  });

  it("goes on where the alias is when it is resumed", () => {
    const s = paused(served()).model(fraud, { default: 2 });
    s.settle();
    expect(modelRoute(s.deploy(fraud, { paused: false }).settle(), fraud).aliases).toEqual({ default: 2 });
  });

  it("drops a rollout that was under way", () => {
    const s = served().model(fraud, { default: 2 });
    s.reconcile();
    expect(s.holders(fraud, 2)).toHaveLength(2);
    paused(s).settle();
    expect(s.holders(fraud, 2)).toEqual([]);
    expect(modelRoute(s.reconcile(), fraud)).toMatchObject({ aliases: { default: 1 } });
  });

  it("is still served elsewhere when a replica dies, and on more replicas when more are wanted", () => {
    const s = paused(served()).model(fraud, { default: 2 }).replica("c");
    s.settle();
    s.replica("a", { presence: "gone", held: [] }).settle();
    expect(s.holders(fraud, 1).toSorted()).toEqual(["b", "c"]);
    s.replica("d").deploy(fraud, { replicas: 3 }).settle();
    expect(s.holders(fraud, 1)).toHaveLength(3);
  });

  it("fits where the version that its alias points at would not", () => {
    const s = served().model(fraud, { default: 2 }, [2], 5000);
    const plan = (paused: boolean) => {
      const [deployment] = s.deploy(fraud, { paused }).snapshot().deployments;
      return planDeployment(s.snapshot(), deployment as DesiredDeployment).shortages;
    };
    expect(plan(false).join()).toMatch(/memory: needs/);
    expect(plan(true)).toEqual([]);
  });

  it("begins nothing for an alias that serves nothing yet", () => {
    const s = new Situation().replica("a").model(fraud, { default: 1 }).deploy(fraud, { paused: true });
    const status = s.settle().statuses.get(fraud);
    expect(s.holders(fraud, 1)).toEqual([]);
    expect(status).toMatchObject({
      settled: false,
      summary: "fraud is paused: alias default serves nothing yet, and points at v1.",
    });
  });

  it("does not hold on to a version that was retired", () => {
    const s = paused(served()).model(fraud, { default: 2 });
    s.settle();
    const versions = s.models.get(fraud)?.versions;
    const retired = versions?.get(1);
    if (retired !== undefined) versions?.set(1, { ...retired, servable: false });
    expect(modelRoute(s.settle(), fraud).aliases).toEqual({ default: 2 });
  });
});
