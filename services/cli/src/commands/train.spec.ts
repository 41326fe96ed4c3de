import { JobSchema, JobState } from "@aimass/api/trainer";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { nextCommands } from "./train.ts";

describe("what comes next after a training", () => {
  const job = (spec: object, facts: object) =>
    create(JobSchema, {
      id: "j1",
      state: JobState.SUCCEEDED,
      modelVersion: 2n,
      spec: { project: "default", model: "m", ...spec },
      ...facts,
    });

  it("is the report where a gate held the model back, not the alias it was kept from", () => {
    const next = nextCommands(job({ alias: "default" }, { aliasMoved: false }));
    expect(next).toContain("aimass jobs report j1");
    expect(next).not.toMatch(/models alias|deploy/);
  });

  it("is the alias where none was asked for, and the deployment where it moved", () => {
    expect(nextCommands(job({}, {}))).toMatch(/models alias m default 2 .*deploy m/);
    expect(nextCommands(job({ alias: "default" }, { aliasMoved: true }))).toBe(
      "aimass jobs report j1 · aimass deploy m",
    );
  });
});
