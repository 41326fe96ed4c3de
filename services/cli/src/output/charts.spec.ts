import { describe, expect, it } from "vitest";
import { figure } from "./charts.ts";

describe("a measured number", () => {
  it.each([
    [12345678.5, "12345679"],
    [99999.54321, "99999.5"],
    [0.000123456789, "0.000123457"],
    [-2.5, "-2.5"],
    [1 / 3, "0.333333"],
    [123456789, "123456789"],
    [1.5e300, "1.5e+300"],
    [0, "0"],
    [Number.NaN, "-"],
    [undefined, "-"],
  ])("%s has its digits before the point, and six at least: %s", (value, shown) => {
    expect(figure(value)).toBe(shown);
  });
});
