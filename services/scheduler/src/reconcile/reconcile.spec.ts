import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isSuitable } from "./fleet-view.ts";
import { reconcile } from "./reconcile.ts";
import { Situation } from "./situation.ts";
import type { DesiredDeployment, HeldState, Presence } from "./snapshot.ts";

const replicaIds = ["a/cpu-0", "a/cpu-1", "b/cpu-0", "b/gpu-0"];
const keys = ["default.m1", "default.m2", "team.m3"];
const states: readonly (HeldState | "absent")[] = [
  "fetching",
  "loading",
  "warming",
  "ready",
  "unloading",
  "failed",
  "absent",
];

type Step = (situation: Situation) => void;

const replica = fc.constantFrom(...replicaIds);
const key = fc.constantFrom(...keys);
const version = fc.integer({ min: 1, max: 3 });

/** Everything that can happen around the scheduler, in any order. */
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(replica, key, version, fc.constantFrom(...states), fc.constantFrom("aa", "aa", "aa", "bb", "")).map(
    ([id, k, v, state, parity]): Step =>
      (s) =>
        s.report(id, k, v, state, { parity }),
  ),
  fc.tuple(replica, fc.constantFrom<Presence>("attached", "missing", "gone")).map(
    ([id, presence]): Step =>
      (s) =>
        s.replica(id, { presence, held: presence === "gone" ? [] : (s.replicas.get(id)?.held ?? []) }),
  ),
  fc.tuple(replica, fc.boolean(), fc.boolean()).map(
    ([id, draining, leaving]): Step =>
      (s) =>
        s.replica(id, { draining, leaving }),
  ),
  fc.tuple(replica, fc.integer({ min: 0, max: 1024 })).map(
    ([id, mib]): Step =>
      (s) =>
        s.replica(id, { memoryUsed: mib * 2 ** 20 }),
  ),
  fc.tuple(key, version).map(
    ([k, v]): Step =>
      (s) =>
        s.model(k, { default: v }, []),
  ),
  fc
    .tuple(
      key,
      fc.record({
        replicas: fc.integer({ min: 1, max: 3 }),
        keepWarm: fc.integer({ min: 0, max: 2 }),
        dedicated: fc.boolean(),
        onDemand: fc.boolean(),
        deviceKind: fc.constantFrom("", "", "cpu", "gpu"),
        versions: fc.uniqueArray(version, { maxLength: 2 }),
      }),
    )
    .map(
      ([k, spec]): Step =>
        (s) =>
          s.deploy(k, spec),
    ),
  key.map(
    (k): Step =>
      (s) =>
        s.deployments.delete(k),
  ),
  fc.tuple(key, version).map(
    ([k, v]): Step =>
      (s) => {
        s.quarantine = s.quarantine.some((q) => q.key === k) ? [] : [{ key: k, version: v, crashes: 2 }];
      },
  ),
  fc.constant<Step>((s) => s.obey()),
  fc.integer({ min: 1, max: 6000 }).map(
    (ms): Step =>
      (s) => {
        s.now += ms;
      },
  ),
);

function start(): Situation {
  const s = new Situation();
  for (const id of replicaIds) s.replica(id);
  for (const name of ["a", "b"]) s.node(name);
  for (const k of keys) s.model(k, { default: 1 }, [1, 2, 3], 200).deploy(k, { replicas: 2 });
  s.settle();
  return s;
}

describe("whatever happens in whatever order", () => {
  const runs = { numRuns: 300 };

  it("reconciling again changes nothing", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const s = start();
        for (const act of steps) {
          act(s);
          const first = s.reconcile();
          expect(reconcile(s.snapshot())).toEqual(first);
        }
      }),
      runs,
    );
  });

  it("no route names a replica that is not there with the version ready", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const s = start();
        for (const act of steps) {
          act(s);
          for (const { entry } of s.reconcile().routes) {
            if (entry.case !== "model") continue;
            const name = `${entry.value.project}.${entry.value.name}`;
            for (const route of entry.value.versions) {
              for (const id of route.replicaIds) expectReady(s, id, name, Number(route.version));
              expect(route.replicaIds.length > 0 || route.unavailableReason !== "").toBe(true);
            }
            const targets = entry.value.aliases.flatMap((alias) => alias.targets);
            for (const { version } of targets) expect(entry.value.versions.map((v) => v.version)).toContain(version);
          }
        }
      }),
      runs,
    );
  });

  it("an alias only moves to a version ready on as many replicas as wanted or as there are, unless nothing else answers", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const s = start();
        for (const act of steps) {
          const before = s.decisions;
          act(s);
          s.reconcile();
          for (const { key: k, served } of s.decisions.rollouts) {
            const old = before.rollouts.find((rollout) => rollout.key === k)?.served ?? 0;
            if (served === 0 || served === old) continue;
            const spec = s.deployments.get(k) as DesiredDeployment;
            const suitable = [...s.replicas.values()].filter((r) => isSuitable(r, spec));
            const ready = suitable.filter((r) => isReady(s, r.id, k, served)).length;
            // A deployment that moves to other replicas is answered by those it had, until the others are ready.
            const answering = s.decisions.placements.filter(
              (p) =>
                p.key === k && p.version === served && p.releasedAt === undefined && isReady(s, p.replica, k, served),
            ).length;
            const answered = before.placements.some(
              (p) => p.key === k && p.version === old && p.releasedAt === undefined && answersFor(s, p.replica, k, old),
            );
            if (answered) expect(ready).toBeGreaterThanOrEqual(Math.min(spec.replicas, suitable.length));
            else expect(answering).toBeGreaterThanOrEqual(1);
          }
        }
      }),
      runs,
    );
  });

  it("comes to rest with every alias on its version once replicas are well and obey", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const s = start();
        for (const act of steps) {
          act(s);
          s.reconcile();
        }
        s.quarantine = [];
        for (const id of replicaIds)
          s.replica(id, {
            presence: "attached",
            draining: false,
            leaving: false,
            memoryUsed: 0,
            memoryLimit: 0,
            held: [],
          });
        for (const k of keys) s.deploy(k, { dedicated: false, deviceKind: "" });
        s.settle();
        const outcome = s.settle(5000);
        for (const [, status] of outcome.statuses) expect(status).toMatchObject({ settled: true });
      }),
      runs,
    );
  });
});

function isReady(s: Situation, id: string, key: string, version: number): boolean {
  const replica = s.replicas.get(id);
  return (
    replica?.presence !== "gone" &&
    replica?.held.some((h) => h.key === key && h.version === version && h.state === "ready") === true
  );
}

/** True for a replica that takes requests for a version, with the answer to the probe input that all had at the start. */
function answersFor(s: Situation, id: string, key: string, version: number): boolean {
  const held = s.replicas.get(id)?.held.find((h) => h.key === key && h.version === version);
  const taken = s.quarantine.some((q) => q.key === key && q.version === version);
  const admitted = s.decisions.admissions.find((a) => a.key === key && a.version === version);
  const agreed = Object.values(admitted?.parity ?? {}).includes(held?.parity ?? "");
  return isReady(s, id, key, version) && agreed && !taken;
}

function expectReady(s: Situation, id: string, key: string, version: number): void {
  expect(isReady(s, id, key, version), `${id} has ${key}@${version} ready`).toBe(true);
}
