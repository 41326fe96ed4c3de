import { JobSchema, JobState, RetrainingSchema } from "@aimass/api/trainer";
import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { usesAmong } from "./dataset-uses.ts";

const rents = { project: "default", dataset: "rents" };
const job = (id: string, state: JobState, datasetVersion: bigint, spec = rents) =>
  create(JobSchema, { id, state, spec: { ...spec, datasetVersion } });
const rule = (name: string, spec = rents) => create(RetrainingSchema, { project: spec.project, name, spec });

const jobs = [
  job("waiting", JobState.QUEUED, 1n),
  job("taken", JobState.LEASED, 2n),
  job("busy", JobState.RUNNING, 2n),
  job("over", JobState.SUCCEEDED, 1n),
  job("broken", JobState.FAILED, 2n),
  job("foreign", JobState.QUEUED, 1n, { ...rents, dataset: "sales" }),
  job("elsewhere", JobState.QUEUED, 1n, { ...rents, project: "bank" }),
];
const rules = [rule("nightly"), rule("others", { ...rents, dataset: "sales" })];

it("a dataset that goes with all its versions takes what goes on and its rules along", () => {
  expect(usesAmong({ ...rents, versions: [1n, 2n], all: true }, jobs, rules)).toEqual([
    "the job waiting, which is queued",
    "the job taken, which is leased",
    "the job busy, which is running",
    "the rule nightly",
  ]);
});

it("one version of several takes only the jobs on it along: rules train on the newest that is left", () => {
  const uses = usesAmong({ ...rents, versions: [1n], all: false }, jobs, rules);
  expect(uses).toEqual(["the job waiting, which is queued"]);
});
