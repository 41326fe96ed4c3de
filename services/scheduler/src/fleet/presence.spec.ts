import { describe, expect, it } from "vitest";
import { presenceOf } from "./presence.ts";

const leaseMs = 10_000;
/** A leader that has been up for an hour. */
const settled = { now: 3_600_000, leaderSince: 0, leaseMs };
/** A leader that came up two seconds ago. */
const young = { now: 3_600_000, leaderSince: 3_598_000, leaseMs };

describe("presenceOf()", () => {
  it.each([
    ["a lease that runs", { leaseUntil: 3_600_001, detachedAt: undefined }, settled, "attached"],
    ["a lease that ran out", { leaseUntil: 3_600_000, detachedAt: undefined }, settled, "gone"],
    ["a stream that broke a moment ago", { leaseUntil: 3_601_000, detachedAt: 3_599_000 }, settled, "missing"],
    [
      "a stream that broke longer ago than it is waited for",
      { leaseUntil: 3_599_999, detachedAt: 3_598_000 },
      settled,
      "gone",
    ],
    ["a lease that ran out before this leader was up", { leaseUntil: 1000, detachedAt: undefined }, young, "missing"],
    ["a stream that broke under the leader before", { leaseUntil: 1000, detachedAt: 900 }, young, "missing"],
    ["a stream that broke under this leader", { leaseUntil: 3_599_500, detachedAt: 3_598_500 }, young, "gone"],
    ["a lease that runs, under a young leader", { leaseUntil: 3_605_000, detachedAt: undefined }, young, "attached"],
  ] as const)("%s", (_situation, signs, at, presence) => {
    expect(presenceOf(signs, at)).toBe(presence);
  });

  it("gives up what stays silent for one lease time of a new leader", () => {
    const signs = { leaseUntil: 1000, detachedAt: undefined };
    expect(presenceOf(signs, { ...young, now: young.leaderSince + leaseMs - 1 })).toBe("missing");
    expect(presenceOf(signs, { ...young, now: young.leaderSince + leaseMs })).toBe("gone");
  });
});
