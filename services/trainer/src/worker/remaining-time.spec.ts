import { describe, expect, it } from "vitest";
import { RemainingTime } from "./remaining-time.ts";

describe("the remaining time", () => {
  it("is not told before there is something to judge by", () => {
    const remaining = new RemainingTime();
    expect(remaining.add(0, 0)).toBeUndefined();
    expect(remaining.add(0, 10_000)).toBeUndefined();
    expect(new RemainingTime().add(0.5, 0)).toBeUndefined();
  });

  it("of a steady job is what is left", () => {
    const remaining = new RemainingTime();
    let told: number | undefined;
    for (let s = 0; s <= 50; s++) told = remaining.add(s / 100, s * 1000);
    expect(told).toBeCloseTo(50_000, -1);
  });

  it("of an uneven job does not jump about", () => {
    const remaining = new RemainingTime();
    const told: number[] = [];
    let fraction = 0;
    for (let s = 0; s < 60; s++) {
      fraction += s % 2 === 0 ? 0.019 : 0.001;
      const ms = remaining.add(fraction, s * 1000);
      if (s > 20 && ms !== undefined) told.push(ms - (1 - fraction) * 100_000);
    }
    for (const error of told) expect(Math.abs(error)).toBeLessThan(25_000);
  });

  it("follows a job that becomes slower", () => {
    const remaining = new RemainingTime();
    let told: number | undefined;
    for (let s = 0; s <= 50; s++) told = remaining.add(s / 100, s * 1000);
    for (let s = 1; s <= 200; s++) told = remaining.add(0.5 + s / 1000, (50 + s) * 1000);
    expect(told).toBeGreaterThan(250_000);
    expect(told).toBeLessThan(350_000);
  });

  it("starts over when progress goes back", () => {
    const remaining = new RemainingTime();
    for (let s = 0; s <= 50; s++) remaining.add(s / 100, s * 1000);
    expect(remaining.add(0.1, 51_000)).toBeUndefined();
  });
});
