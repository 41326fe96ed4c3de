import { type Job, JobState, type RecipeParameter, TrainingService } from "@aimass/api/trainer";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import { enumName, modelName, time } from "../output/format.ts";
import { table } from "../output/output.ts";
import { followJob, progressNote, readLog } from "../training/follow-job.ts";
import { writeJobSpec } from "../training/job-spec-file.ts";
import { leaderboardLines } from "../training/leaderboard.ts";
import { reportLines } from "../training/report.ts";
import { action } from "./context.ts";
import { addJobCompare } from "./job-compare.ts";
import { addJobRemoval } from "./job-removal.ts";
import { addQuota } from "./quota.ts";
import { addRetraining } from "./retraining.ts";
import { describeJob } from "./train.ts";

export function addJobs(program: Command): void {
  const jobs = program
    .command("jobs")
    .description(
      "training jobs: list, show, report, leaderboard, compare, logs, clone, cancel, delete; recipes, retraining, quotas",
    );
  addList(jobs);
  addShow(jobs);
  addReport(jobs);
  addJobCompare(jobs);
  addLogs(jobs);
  jobs
    .command("cancel")
    .description("ask a job to stop")
    .argument("<job>")
    .action(
      action(async ({ connection, output }, _options, [id]) => {
        const { job } = await connection.client(TrainingService).cancelJob({ id: id as string });
        output.result(job, () => `Job ${id} is ${enumName(JobState, (job as Job).state)}.`);
      }),
    );
  addJobRemoval(jobs);
  addRecipes(jobs);
  addRetraining(jobs);
  addQuota(jobs);
}

function addList(jobs: Command): void {
  jobs
    .command("list")
    .description("jobs, newest first")
    .option("-p, --project <name>", "only of this project", "")
    .action(
      action<{ project: string }>(async ({ connection, output }, { project }) => {
        const all = await allPages(
          (page) => connection.client(TrainingService).listJobs({ project, page }),
          (answer) => answer.jobs,
        );
        output.result(all, () =>
          table(
            ["JOB", "STATE", "RECIPE", "MODEL", "VERSION", "CREATED", "BY"],
            all.map((j) => [
              j.id,
              enumName(JobState, j.state),
              j.spec?.script === undefined ? (j.spec?.recipe ?? "") : "(script)",
              modelName(j.spec?.project ?? "default", j.spec?.model ?? ""),
              String(j.modelVersion || "-"),
              time(j.createdAt),
              j.retraining === "" ? j.createdBy : `${j.createdBy} by ${j.retraining}`,
            ]),
          ),
        );
      }),
    );
}

function addShow(jobs: Command): void {
  jobs
    .command("show")
    .description("a job as it stands, with its whole spec")
    .argument("<job>")
    .action(
      action(async ({ connection, output }, _options, [id]) => {
        const job = (await connection.client(TrainingService).getJob({ id: id as string })).job as Job;
        output.result({ ...job, state: enumName(JobState, job.state) }, () => showJob(job));
      }),
    );
}

function showJob(job: Job): string[] {
  return [
    ...new Set([...describeJob(job), ...(job.stateReason === "" ? [] : [job.stateReason])]),
    `created ${time(job.createdAt)} by ${job.createdBy}; started ${time(job.startedAt)}; ended ${time(job.endedAt)}`,
    `attempt ${job.attempt}${job.worker === "" ? "" : ` on ${job.worker}`}; ${progressNote(job)}`,
    ...job.warnings.map((warning) => `warning: ${warning}`),
    "",
    ...(job.spec === undefined ? [] : writeJobSpec(job.spec).trimEnd().split("\n")),
  ];
}

function addReport(jobs: Command): void {
  jobs
    .command("report")
    .description("how good the model is: metrics, mistakes, calibration, importances")
    .argument("<job>")
    .action(
      action(async ({ connection, output }, _options, [id]) => {
        const { report } = await connection.client(TrainingService).getJobReport({ id: id as string });
        output.result(report, () => (report === undefined ? [] : reportLines(report)));
      }),
    );
  jobs
    .command("leaderboard")
    .description("what a search or `auto` tried, best first")
    .argument("<job>")
    .action(
      action(async ({ connection, output }, _options, [id]) => {
        const { report } = await connection.client(TrainingService).getJobReport({ id: id as string });
        const trials = report?.leaderboard ?? [];
        output.result(trials, () =>
          trials.length === 0
            ? "This job searched for nothing: use --recipe auto or --search."
            : leaderboardLines(trials),
        );
      }),
    );
}

function addLogs(jobs: Command): void {
  jobs
    .command("logs")
    .description("what a job wrote so far")
    .argument("<job>")
    .option("--follow", "go on until it has ended")
    .action(
      action<{ follow?: boolean }>(async ({ connection, output }, { follow }, [id]) => {
        const job = (await connection.client(TrainingService).getJob({ id: id as string })).job as Job;
        const line = (text: string) => output.line({ line: text }, text);
        if (follow) await followJob(connection, job, { onLogLine: line });
        else await readLog(connection, job, line);
      }),
    );
}

function addRecipes(jobs: Command): void {
  jobs
    .command("recipes")
    .description("the built-in ways to train, with their parameters")
    .action(
      action(async ({ connection, output }) => {
        const recipes = await allPages(
          (page) => connection.client(TrainingService).listRecipes({ page }),
          (answer) => answer.recipes,
        );
        output.result(recipes, () =>
          recipes.flatMap((r) => [
            `${r.name} (${r.tasks.join(", ")}): ${r.description}`,
            ...r.parameters.map((p) => `  ${describeParameter(p)}: ${p.description}`),
          ]),
        );
      }),
    );
}

function describeParameter({ name, choices, defaultChoice, defaultValue, minimum, maximum }: RecipeParameter): string {
  if (choices.length > 0) return `${name} = ${defaultChoice || "by task"} (${choices.join(", ")})`;
  return `${name} = ${defaultValue} (${minimum} to ${maximum})`;
}
