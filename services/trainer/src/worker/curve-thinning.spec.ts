import { describe, expect, it } from "vitest";
import { CurveThinning, type Point } from "./curve-thinning.ts";

function thin(budget: number) {
  const told: Point[] = [];
  const clock = { ms: 0, monotonic: () => clock.ms };
  return { told, clock, curves: new CurveThinning({ tell: (point) => told.push(point), clock, budget }) };
}

describe("curves", () => {
  it("of a short training keep every point", () => {
    const { told, curves } = thin(5000);
    for (let step = 1; step <= 500; step++) curves.add({ name: "loss", step, value: 1 / step });
    expect(told.map((p) => p.step)).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
  });

  it("stay within their budget over a week of telling, are spread over all of it, and end with the last point", () => {
    const { told, clock, curves } = thin(5000);
    const hours = 24 * 7;
    let step = 0;
    for (let hour = 0; hour < hours; hour++) {
      for (let i = 0; i < 3600; i++) {
        clock.ms += 1000;
        step += 1;
        curves.add({ name: "loss", step, value: step });
        curves.add({ name: "accuracy", step, value: step });
      }
    }
    curves.flush();
    expect(told.length).toBeLessThanOrEqual(5000);
    expect(told.at(-1)?.step).toBe(step);
    const late = told.filter((p) => p.name === "loss" && p.step > step * 0.75);
    expect(late.length).toBeGreaterThan(20);
  });

  it("told as fast as can be stay within their budget too, each with its last point", () => {
    const { told, curves } = thin(1000);
    for (let step = 1; step <= 200_000; step++) curves.add({ name: `curve ${step % 150}`, step, value: step });
    curves.flush();
    expect(told.length).toBeLessThanOrEqual(1000);
    expect(new Set(told.map((p) => p.name)).size).toBe(100);
    expect(told.at(-1)?.step).toBeGreaterThan(199_800);
  });

  it("leave out what is no number", () => {
    const { told, curves } = thin(1000);
    expect(curves.add({ name: "loss", step: 1, value: Number.NaN })).toBe(false);
    expect(curves.add({ name: "loss", step: 2, value: 2 })).toBe(true);
    expect(told).toHaveLength(1);
  });
});
