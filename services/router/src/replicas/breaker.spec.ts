import { describe, expect, it } from "vitest";
import { Breaker } from "./breaker.ts";
import { Latency } from "./latency.ts";

function failing(times: number, now = 0): Breaker {
  const breaker = new Breaker();
  for (let i = 0; i < times; i++) breaker.failed(now);
  return breaker;
}

describe("Breaker", () => {
  it("opens after five failures in a row, not after four", () => {
    expect(failing(4).allows(0)).toBe(true);
    expect(failing(5).allows(0)).toBe(false);
  });

  it("forgets failures at a success", () => {
    const breaker = failing(4);
    breaker.succeeded();
    breaker.failed(0);
    expect(breaker.allows(0)).toBe(true);
  });

  it("lets one call try after its wait, which decides", () => {
    const breaker = failing(5);
    expect(breaker.allows(999)).toBe(false);
    expect(breaker.allows(1000)).toBe(true);
    breaker.sent(1000);
    expect(breaker.allows(1001)).toBe(false);
    breaker.succeeded();
    expect(breaker.isClosed).toBe(true);
  });

  it("waits twice as long after a failed trial", () => {
    const breaker = failing(5);
    breaker.sent(1000);
    breaker.failed(1100);
    expect([breaker.allows(3099), breaker.allows(3100)]).toEqual([false, true]);
  });

  it("opens for a moment at one refusal, for longer at each trial that is refused, for a second at most", () => {
    const breaker = new Breaker();
    breaker.refused(0);
    expect([breaker.allows(49), breaker.allows(50)]).toEqual([false, true]);
    let now = 50;
    for (const waitMs of [100, 200, 400, 800, 1000, 1000]) {
      breaker.sent(now);
      breaker.refused(now);
      expect([breaker.allows(now + waitMs - 1), breaker.allows(now + waitMs)]).toEqual([false, true]);
      now += waitMs;
    }
    breaker.sent(now);
    breaker.succeeded();
    expect(breaker.isClosed).toBe(true);
  });

  it("stays open as long as it was when what was under way is refused too", () => {
    const breaker = new Breaker();
    breaker.refused(0);
    breaker.refused(40);
    expect(breaker.allows(50)).toBe(true);
  });

  it("forgets a trial that brings no outcome", () => {
    const breaker = failing(5);
    breaker.sent(1000);
    expect([breaker.allows(5999), breaker.allows(6000)]).toEqual([false, true]);
  });
});

describe("Latency", () => {
  it("jumps up with a slow answer and comes down with time", () => {
    const latency = new Latency();
    latency.observe(2, 1, 1000);
    latency.observe(200, 1, 1001);
    expect(latency.at(1001)).toBeCloseTo(200, 0);
    expect(latency.at(31_001)).toBeLessThan(15);
  });

  it("knows what one call in flight adds to the wait", () => {
    const latency = new Latency();
    latency.observe(64, 64, 1000);
    expect(latency.serviceMs).toBe(1);
  });
});
