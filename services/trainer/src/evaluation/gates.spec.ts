import { GateSchema } from "@aimass/api/trainer";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { judge, readGate } from "./gates.ts";

type Init = Exclude<MessageInitShape<typeof GateSchema>, { $typeName: string }>;

const against = (change: Init, own: number, other: number) => {
  const gate = readGate(create(GateSchema, { metric: "accuracy", betterThan: "live", ...change }), "spec.gate");
  return judge(gate, {}, { version: 3n, metrics: { [gate.metric]: other }, own: { [gate.metric]: own } });
};

describe("a gate against an alias", () => {
  it("is passed by what is better, not by a tie", () => {
    expect(against({}, 0.5, 0.5)).toEqual({
      passed: false,
      reason: "held-out accuracy is 0.5, @live (version 3) has 0.5; it must be better",
    });
    expect(against({}, 0.5001, 0.5).passed).toBe(true);
    expect(against({}, 0.4999, 0.5).passed).toBe(false);
    expect(against({ metric: "rmse" }, 0.5, 0.5).passed).toBe(false);
    expect(against({ metric: "rmse" }, 0.4999, 0.5).passed).toBe(true);
  });

  it("that lets a tie pass says so, and is passed by one", () => {
    expect(against({ orEqual: true }, 0.5, 0.5)).toEqual({
      passed: true,
      reason: "held-out accuracy is 0.5, @live (version 3) has 0.5; it must not be worse",
    });
    expect(against({ orEqual: true }, 0.4999, 0.5).passed).toBe(false);
    const nothing = create(GateSchema, { metric: "r2", orEqual: true });
    expect(() => readGate(nothing, "spec.gate")).toThrow(/compares with nothing/);
  });

  it("does not take the rounding of sums for a difference, either way", () => {
    expect(against({}, 0.1 + 0.2, 0.3).passed).toBe(false);
    expect(against({ bound: 0.01 }, 0.57, 0.56).passed).toBe(true);
  });

  it("shows numbers that differ as different", () => {
    const { passed, reason } = against({ metric: "log_loss" }, 0.12345678, 0.12345679);
    expect(passed).toBe(true);
    expect(reason).toMatch(/is 0\.12345678, @live \(version 3\) has 0\.12345679;/);
    const bound = readGate(create(GateSchema, { metric: "r2", bound: 0.9 }), "spec.gate");
    expect(judge(bound, { r2: 0.89999999 }, undefined).reason).toBe(
      "held-out r2 is 0.89999999, it must be at least 0.9",
    );
  });
});
