import { JobSchema } from "@aimass/api/trainer";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { compareJobs } from "./job-compare.ts";

const common = { project: "default", dataset: "d", target: "y", model: "m", recipe: "ridge" };

describe("jobs that are compared", () => {
  it("have every metric side by side, and only what differs of their specs", () => {
    const jobs = [
      create(JobSchema, { spec: { ...common, features: ["a", "b"] }, metrics: { r2: 0.5, rmse: 3 } }),
      create(JobSchema, { spec: { ...common, recipe: "forest", features: ["a"] }, metrics: { r2: 0.75 } }),
    ];
    expect(compareJobs(jobs)).toEqual({
      metrics: { r2: [0.5, 0.75], rmse: [3, null] },
      differences: { recipe: ["ridge", "forest"], features: ["a, b", "a"] },
    });
  });

  it("with the same spec differ in nothing", () => {
    const job = create(JobSchema, { spec: common });
    expect(compareJobs([job, job])).toEqual({ metrics: {}, differences: {} });
  });
});
