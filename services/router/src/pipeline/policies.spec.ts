import { AimassError, type Clock, systemClock } from "@aimass/core";
import { describe, expect, it } from "vitest";
import { predictWaitMs, refuseByQuota, refuseByWait } from "./admission.ts";
import { formatGrpcTimeout, parseGrpcTimeout } from "./deadline.ts";
import { codeOfAnswer } from "./outcome.ts";
import { pickOfTwo } from "./pick.ts";
import { type FailedAttempt, RetryBudget, refuseRetry } from "./retry.ts";
import { chooseShard, drawFromText, loadBound, neededReplicas, rendezvousOrder } from "./shard.ts";

function draws(...values: number[]): () => number {
  return () => values.shift() ?? 0;
}

describe("pickOfTwo()", () => {
  const cost = (n: number) => n;
  it.each([
    { name: "nothing from nothing", members: [], random: [], picked: undefined },
    { name: "the only member", members: [9], random: [], picked: 9 },
    { name: "the cheaper of two", members: [5, 3], random: [0, 0], picked: 3 },
    { name: "never the same member twice", members: [7, 5, 3], random: [0, 0], picked: 5 },
    { name: "not the cheapest when it was not drawn", members: [1, 5, 3], random: [0.5, 0.99], picked: 3 },
  ])("picks $name", ({ members, random, picked }) => {
    expect(pickOfTwo(members, cost, draws(...random))).toBe(picked);
  });
});

describe("rendezvousOrder()", () => {
  const ids = Array.from({ length: 8 }, (_, i) => `node-${i}/cpu-0`);
  const self = (id: string) => id;

  it("does not depend on the order in which members are known", () => {
    expect(rendezvousOrder("a.b/1", ids, self)).toEqual(rendezvousOrder("a.b/1", ids.toReversed(), self));
  });

  it("moves only the keys of a member that goes", () => {
    const keys = Array.from({ length: 300 }, (_, i) => `default.m${i}/1`);
    const gone = ids[3] as string;
    const left = ids.filter((id) => id !== gone);
    for (const key of keys) {
      const [before] = rendezvousOrder(key, ids, self);
      if (before !== gone) expect(rendezvousOrder(key, left, self)[0]).toBe(before);
    }
  });

  it("spreads keys over members within a third of the average", () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 4000; i++) {
      const [first] = rendezvousOrder(`default.model-${i}/1`, ids, self) as [string];
      counts.set(first, (counts.get(first) ?? 0) + 1);
    }
    for (const id of ids) expect(Math.abs((counts.get(id) ?? 0) - 500)).toBeLessThan(170);
  });
});

describe("chooseShard()", () => {
  const loads: Record<string, number> = { a: 0, b: 9, c: 1, d: 0 };
  const loadOf = (id: string) => loads[id] ?? 0;
  it.each([
    {
      name: "everything when no more is there than needed",
      ordered: ["a", "b"],
      needed: 2,
      bound: 4,
      shard: ["a", "b"],
    },
    { name: "the first of the order", ordered: ["a", "c", "d"], needed: 2, bound: 4, shard: ["a", "c"] },
    {
      name: "the next one for a member over the bound",
      ordered: ["a", "b", "c", "d"],
      needed: 2,
      bound: 4,
      shard: ["a", "c"],
    },
    {
      name: "everything when too few are within the bound",
      ordered: ["b", "a", "c"],
      needed: 2,
      bound: 0,
      shard: ["b", "a", "c"],
    },
  ])("takes $name", ({ ordered, needed, bound, shard }) => {
    expect(chooseShard(ordered, loadOf, { needed, bound })).toEqual(shard);
  });

  it("asks for two replicas at least, and for more as load grows", () => {
    expect([0, 7, 15, 16, 63].map((n) => neededReplicas(n, 8))).toEqual([2, 2, 2, 3, 8]);
    expect(loadBound(0, 4)).toBe(4);
    expect(loadBound(99, 4)).toBe(32);
  });
});

describe("refuseRetry()", () => {
  const lost: FailedAttempt = {
    wasStarted: true,
    wasOverloaded: false,
    startedFailures: 1,
    isIdempotent: true,
    isBodyKept: true,
    remainingMs: 100,
    takeBudget: () => true,
  };
  it.each([
    { name: "repeats a lost call once", attempt: lost, refusal: undefined },
    { name: "never runs on a third replica", attempt: { ...lost, startedFailures: 2 }, refusal: "two-replicas-lost" },
    { name: "never repeats a sequence", attempt: { ...lost, isIdempotent: false }, refusal: "not-idempotent" },
    { name: "cannot repeat what it did not keep", attempt: { ...lost, isBodyKept: false }, refusal: "body-not-kept" },
    { name: "ends at the deadline", attempt: { ...lost, remainingMs: 0 }, refusal: "deadline" },
    { name: "keeps to the budget", attempt: { ...lost, takeBudget: () => false }, refusal: "budget" },
    {
      name: "keeps to the budget where a queue was full",
      attempt: { ...lost, wasStarted: false, wasOverloaded: true, startedFailures: 0, takeBudget: () => false },
      refusal: "budget",
    },
    {
      name: "repeats what a replica did not take without the budget",
      attempt: { ...lost, wasStarted: false, startedFailures: 0, takeBudget: () => false },
      refusal: undefined,
    },
    {
      name: "repeats what never began, a sequence and a large body too",
      attempt: { ...lost, wasStarted: false, startedFailures: 0, isIdempotent: false, isBodyKept: false },
      refusal: undefined,
    },
    {
      name: "does not repeat what never began after two losses",
      attempt: { ...lost, wasStarted: false, startedFailures: 2 },
      refusal: "two-replicas-lost",
    },
  ])("$name", ({ attempt, refusal }) => {
    expect(refuseRetry(attempt)).toBe(refusal);
  });
});

describe("RetryBudget", () => {
  it("is spent by retries, earned by calls and by time", () => {
    let now = 0;
    const clock: Clock = { ...systemClock, monotonic: () => now };
    const budget = new RetryBudget(clock);
    for (let i = 0; i < 1000; i++) expect(budget.take()).toBe(true);
    expect(budget.take()).toBe(false);
    for (let i = 0; i < 6; i++) budget.earn();
    expect([budget.take(), budget.take()]).toEqual([true, false]);
    now = 1000;
    expect(Array.from({ length: 21 }, () => budget.take()).filter(Boolean)).toHaveLength(20);
  });
});

describe("admission", () => {
  const demand = { principalInFlight: 0, principalLimit: 2, totalInFlight: 0, totalLimit: 10 };
  it.each([
    { name: "admits below the limits", demand, reason: undefined },
    { name: "refuses the caller at its own", demand: { ...demand, principalInFlight: 2 }, reason: "CALLER_QUOTA" },
    { name: "refuses all at the router's", demand: { ...demand, totalInFlight: 10 }, reason: "ROUTER_FULL" },
  ])("$name", ({ demand, reason }) => {
    const refusal = refuseByQuota(demand);
    expect(refusal?.reason).toBe(reason);
    if (refusal !== undefined) expect(refusal.retryAfterMs).toBeGreaterThan(0);
  });

  it.each([
    { name: "nothing of replicas it knows nothing of", queues: [{ load: 99, serviceMs: 0 }], waitMs: 0 },
    {
      name: "nothing while one is hardly loaded",
      queues: [
        { load: 99, serviceMs: 2 },
        { load: 3, serviceMs: 2 },
      ],
      waitMs: 0,
    },
    {
      name: "the shortest queue",
      queues: [
        { load: 100, serviceMs: 2 },
        { load: 50, serviceMs: 3 },
      ],
      waitMs: 150,
    },
    { name: "nothing without replicas", queues: [], waitMs: 0 },
  ])("predicts $name", ({ queues, waitMs }) => {
    expect(predictWaitMs(queues)).toBe(waitMs);
  });

  it("refuses a wait beyond the deadline and says when to come back", () => {
    expect(refuseByWait(100, 100)).toBeUndefined();
    expect(refuseByWait(150, 100)).toMatchObject({ code: "RESOURCE_EXHAUSTED", retryAfterMs: 50 });
  });
});

describe("grpc-timeout", () => {
  it.each([
    ["250m", 250],
    ["2S", 2000],
    ["1M", 60_000],
    ["1H", 3_600_000],
    ["500u", 0.5],
    ["99999999n", 99.999999],
  ])("reads %s", (text, ms) => {
    expect(parseGrpcTimeout(text)).toBeCloseTo(ms, 6);
  });

  it.each(["", "5", "m", "1.5S", "-1S", "123456789m", "1x"])("refuses %j", (text) => {
    expect(() => parseGrpcTimeout(text)).toThrow(AimassError);
  });

  it("writes at most eight digits", () => {
    expect([0.2, 1500, 99_999_999, 100_000_000].map(formatGrpcTimeout)).toEqual([
      "1m",
      "1500m",
      "99999999m",
      "100000S",
    ]);
  });
});

describe("codeOfAnswer()", () => {
  const answer = { status: 200, headers: {}, trailers: {}, body: Buffer.alloc(0) };
  it.each([
    { name: "trailers", result: { ...answer, trailers: { "grpc-status": "0" } }, format: "grpc", code: "OK" },
    {
      name: "an answer of headers alone",
      result: { ...answer, headers: { "grpc-status": "14" } },
      format: "grpc",
      code: "UNAVAILABLE",
    },
    { name: "a missing status", result: answer, format: "grpc", code: "INTERNAL" },
    { name: "an HTTP error", result: { ...answer, status: 503 }, format: "grpc", code: "UNAVAILABLE" },
    { name: "REST success", result: answer, format: "rest", code: "OK" },
    { name: "a REST refusal", result: { ...answer, status: 429 }, format: "rest", code: "RESOURCE_EXHAUSTED" },
    { name: "an unusual REST status", result: { ...answer, status: 418 }, format: "rest", code: "INVALID_ARGUMENT" },
  ] as const)("reads $name", ({ result, format, code }) => {
    expect(codeOfAnswer(result, format)).toBe(code);
  });
});

describe("drawFromText()", () => {
  it("gives each key the same draw and spreads keys evenly", () => {
    expect(drawFromText("session-1")).toBe(drawFromText("session-1"));
    const low = Array.from({ length: 2000 }, (_, i) => drawFromText(`user-${i}`)).filter((d) => d < 0.1);
    expect(low.length).toBeGreaterThan(140);
    expect(low.length).toBeLessThan(260);
  });
});
