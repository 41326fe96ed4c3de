import { type Job, type JobSpec, JobSpecSchema, JobState, TrainingService } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { clone, type JsonValue, toJson } from "@bufbuild/protobuf";
import type { Command } from "commander";
import type { Connection } from "../client/connection.ts";
import { figure } from "../output/charts.ts";
import { enumName } from "../output/format.ts";
import { table } from "../output/output.ts";
import { trainModel } from "../training/follow-job.ts";
import { checkComplete, type JobFlags, withFlags } from "../training/job-flags.ts";
import { writeJobSpec } from "../training/job-spec-file.ts";
import { action } from "./context.ts";
import { describeJob, withJobFlags } from "./train.ts";

/** `jobs compare` and `jobs clone`. */
export function addJobCompare(jobs: Command): void {
  jobs
    .command("compare")
    .description("metrics of some jobs side by side, and in what their specs differ")
    .argument("<jobs...>", "two or more")
    .action(
      action(async ({ connection, output }, _options, ids) => {
        if (ids.length < 2)
          throw new AimassError("INVALID_ARGUMENT", "One job alone has nothing to be compared with.", {
            remedy: "Name two or more; `aimass jobs list` has them.",
          });
        const found = await Promise.all(ids.map((id) => jobOf(connection, id)));
        const { metrics, differences } = compareJobs(found);
        output.result({ jobs: ids, metrics, differences }, () => [
          ...table(["JOB", ...ids], [["state", ...found.map((job) => enumName(JobState, job.state))]]),
          "",
          ...table(["METRIC", ...ids], cellsOf(metrics)),
          "",
          ...(Object.keys(differences).length === 0
            ? ["Their specs are the same."]
            : table(["SPEC", ...ids], cellsOf(differences))),
        ]);
      }),
    );
  withJobFlags(
    jobs
      .command("clone")
      .description("queue a job again, with what the flags change of it")
      .argument("<job>")
      .option("--dry-run", "let the trainer check the job, print it whole as YAML and queue nothing")
      .option("--no-wait", "do not wait for the end"),
  ).action(
    action<JobFlags & { dryRun?: boolean; wait: boolean }>(async ({ connection, output }, options, [id]) => {
      const { spec: old } = await jobOf(connection, id as string);
      if (old === undefined) throw new AimassError("DATA_LOSS", `The job ${id} has no spec.`);
      const spec = withFlags(asAsked(old, options), options);
      checkComplete(spec);
      if (options.dryRun) {
        await connection.client(TrainingService).createJob({ spec, validateOnly: true });
        return output.result(toJson(JobSpecSchema, spec), () => writeJobSpec(spec).trimEnd().split("\n"));
      }
      const job = await trainModel({ connection, output, spec, wait: options.wait });
      output.result({ ...job, state: enumName(JobState, job.state) }, () => describeJob(job));
      output.hint(`Next: aimass jobs compare ${id} ${job.id}`);
    }),
  );
}

/** A job's spec without what the trainer filled in, so that it is filled in anew for what the flags change. */
function asAsked(made: JobSpec, { dataset, datasetVersion, recipe, target, task }: JobFlags): JobSpec {
  const spec = clone(JobSpecSchema, made);
  if (made.usualFeatures) Object.assign(spec, { features: [], usualFeatures: false });
  if (target !== undefined) spec.task = "";
  // Parameters are those of a recipe and its task; the version is that of its dataset.
  if ([recipe, target, task].some((flag) => flag !== undefined)) Object.assign(spec, { parameters: {}, choices: {} });
  if (dataset !== undefined && datasetVersion === undefined) spec.datasetVersion = 0n;
  return spec;
}

/** A value of each job by the name of the thing; null where a job has none. */
type Comparison = Readonly<Record<string, readonly (string | number | null)[]>>;

/** Every metric that one of the jobs has, and every field of their specs that is not the same in all. */
export function compareJobs(jobs: readonly Pick<Job, "metrics" | "spec">[]): {
  metrics: Comparison;
  differences: Comparison;
} {
  const specs = jobs.map(({ spec }) => (spec === undefined ? {} : flatten(toJson(JobSpecSchema, spec))));
  const all = side(specs);
  const differing = Object.entries(all).filter(([, values]) => new Set(values).size > 1);
  return { metrics: side(jobs.map(({ metrics }) => metrics)), differences: Object.fromEntries(differing) };
}

function side(columns: readonly Readonly<Record<string, string | number>>[]): Comparison {
  const names = [...new Set(columns.flatMap((column) => Object.keys(column)))].sort();
  return Object.fromEntries(names.map((name) => [name, columns.map((column) => column[name] ?? null)]));
}

/** Leaves of a JSON value by their path: "parameters.l2". */
function flatten(value: JsonValue, path = ""): Record<string, string> {
  if (value === null || typeof value !== "object") return { [path]: String(value) };
  if (Array.isArray(value) && value.every((item) => typeof item !== "object")) return { [path]: value.join(", ") };
  return Object.assign(
    {},
    ...Object.entries(value).map(([name, item]) => flatten(item as JsonValue, path === "" ? name : `${path}.${name}`)),
  );
}

function cellsOf(comparison: Comparison): string[][] {
  const cell = (value: string | number | null) => (typeof value === "number" ? figure(value) : (value ?? "-"));
  return Object.entries(comparison).map(([name, values]) => [name, ...values.map(cell)]);
}

async function jobOf(connection: Connection, id: string): Promise<Job> {
  return (await connection.client(TrainingService).getJob({ id })).job as Job;
}
