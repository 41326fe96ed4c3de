import { ColumnType, DatasetService } from "@aimass/api/registry";
import { type Job, type JobSpec, JobSpecSchema, JobState, ScriptSchema, TrainingService } from "@aimass/api/trainer";
import { create, toJson } from "@bufbuild/protobuf";
import type { Command } from "commander";
import type { Connection } from "../client/connection.ts";
import { readTextFile } from "../client/text-file.ts";
import { enumName, modelName } from "../output/format.ts";
import type { Output } from "../output/output.ts";
import { trainModel } from "../training/follow-job.ts";
import { checkComplete, type JobFlags, withFlags } from "../training/job-flags.ts";
import { readJobSpec, writeJobSpec } from "../training/job-spec-file.ts";
import { metricsLine } from "../training/report.ts";
import { bundleOf, scriptFiles } from "../training/script-files.ts";
import { action } from "./context.ts";

interface TrainOptions extends JobFlags {
  readonly file?: string;
  readonly script?: string;
  readonly dryRun?: boolean;
  readonly wait: boolean;
}

export function addTrain(program: Command): void {
  withJobFlags(
    program
      .command("train")
      .description("train a model on a dataset; the result is the model's next version")
      .option("-f, --file <job.yaml>", "the whole job as YAML; flags take the place of what it says"),
  )
    .option("--dry-run", "let the trainer check the job, print it whole as YAML and queue nothing")
    .option("--no-wait", "do not wait for the end")
    .action(
      action<TrainOptions>(async ({ connection, output }, options) => {
        const spec = await jobSpec({ connection, output }, options);
        if (options.dryRun) {
          await connection.client(TrainingService).createJob({ spec, validateOnly: true });
          return output.result(toJson(JobSpecSchema, spec), () => writeJobSpec(spec).trimEnd().split("\n"));
        }
        const job = await trainModel({ connection, output, spec, wait: options.wait });
        output.result({ ...job, state: enumName(JobState, job.state) }, () => describeJob(job));
        for (const warning of job.warnings) output.say(`warning: ${warning}`);
        output.hint(`Next: ${nextCommands(job)}`);
      }),
    );
}

/** The flags that describe a job, for every command that takes one. */
export function withJobFlags(command: Command): Command {
  return command
    .option("--dataset <name>", "the dataset")
    .option("--target <column>", "the column to predict")
    .option("--model <name>", "the model that gets the new version; made when missing")
    .option("--recipe <name>", 'how to train; `aimass jobs recipes` lists them, "auto" tries them (default "linear")')
    .option("--task <task>", "regression or classification, for a recipe that does both; by the target when left out")
    .option("--dataset-version <n>", "a version of the dataset; the newest when left out")
    .option("--feature <column...>", "columns to predict from; every other one when left out")
    .option("--param <name=value...>", "recipe parameters, for instance l2=1 or classWeights=balanced")
    .option("--test-share <share>", "share of rows held out for evaluation (default 0.2)")
    .option("--validation <share>", "share of rows for validation, on which searches score")
    .option("--split <kind>", "plain, stratified, stratified:COLUMN, grouped:COLUMN or time:COLUMN")
    .option("--seed <n>", "seed of the split and the training")
    .option("--cv <k>", "cross-validate on k folds of the training part")
    .option("--missing <what>", "features without a value: impute, drop or refuse")
    .option("--missing-target <what>", "rows without a target: refuse or drop")
    .option("--duplicates <what>", "rows that come twice: keep, drop or refuse")
    .option("--unknown-categories <what>", "categories that training did not see: other, none or frequent")
    .option("--search <method>", "look for better parameters: random or halving")
    .option("--trials <n>", "how many to try")
    .option("--parallel <n>", "how many side by side")
    .option("--budget <time>", "begin no trial after this time, for instance 60s")
    .option("--search-metric <name>", "what trials are judged by")
    .option("--gate <metric=bound...>", "what a held-out metric must reach, for instance accuracy=0.9")
    .option("--min-r2 <value>", "the same as --gate r2=VALUE")
    .option(
      "--better-than <alias>",
      "must be better than this alias, not only as good: default, default:accuracy or, by that much, default:accuracy=0.01",
    )
    .option("--not-worse-than <alias>", "the same, but as good is enough: default or default:accuracy")
    .option("--max-latency <time>", "what one row may take, with its unit, for instance 5ms")
    .option("--alias <name>", "move this alias to the new version when it passes")
    .option("--priority <n>", "of the queue, -100 to 100")
    .option("--time-limit <time>", "how long the job may run, for instance 10m")
    .option("--script <folder>", "train by your own code: the folder that holds it")
    .option("--command <words>", 'what to run in that folder, for instance "python3 train.py"');
}

/** The job that file and flags describe; a script's files are uploaded. Errors: INVALID_ARGUMENT, NOT_FOUND. */
export async function jobSpec(
  { connection, output }: { connection: Connection; output: Output },
  options: Pick<TrainOptions, "file" | "script" | "dryRun"> & JobFlags,
): Promise<JobSpec> {
  const written =
    options.file === undefined ? create(JobSpecSchema) : readJobSpec(readTextFile(options.file), options.file);
  if (options.script !== undefined) written.script ??= create(ScriptSchema);
  const spec = withFlags(written, options);
  checkComplete(spec);
  await nameMetrics(connection, spec);
  if (options.script !== undefined && spec.script !== undefined) {
    const to = { connection, output, project: spec.project, dryRun: options.dryRun ?? false };
    const files = await bundleOf(await scriptFiles(options.script), to);
    spec.script = create(ScriptSchema, { ...spec.script, files });
  }
  return spec;
}

/** A comparison without a metric is by R² for a target of numbers, else by accuracy. */
async function nameMetrics(connection: Connection, spec: JobSpec): Promise<void> {
  const nameless = [...(spec.gate === undefined ? [] : [spec.gate]), ...spec.gates].filter((g) => g.metric === "");
  if (nameless.length === 0) return;
  const { project, dataset, datasetVersion: version } = spec;
  const { datasetVersion } = await connection.client(DatasetService).getDatasetVersion({ project, dataset, version });
  const target = datasetVersion?.columns.find(({ name }) => name === spec.target);
  for (const gate of nameless) gate.metric = target?.type === ColumnType.NUMBER ? "r2" : "accuracy";
}

/** What a job came to, in a few lines. */
export function describeJob(job: Job): string[] {
  const model = modelName(job.spec?.project ?? "default", job.spec?.model ?? "");
  const made = job.modelVersion > 0n ? ` and made ${model} v${job.modelVersion}` : "";
  const moved = job.aliasMoved ? `; ${model}@${job.spec?.alias} is now v${job.modelVersion}` : "";
  const heldBack = job.modelVersion > 0n && job.spec?.alias && !job.aliasMoved;
  return [
    `Job ${job.id} is ${enumName(JobState, job.state)}${made}${moved}.`,
    ...(heldBack ? [job.stateReason] : []),
    ...metricsLine(job.metrics),
  ];
}

/** What a person may want to do after a job has ended. */
export function nextCommands(job: Job): string {
  if (job.modelVersion === 0n) return `aimass jobs logs ${job.id} --follow`;
  const full = modelName(job.spec?.project ?? "default", job.spec?.model ?? "");
  // An alias that was wanted and stayed did so for a reason, which the report has: moving it is no next step.
  if (job.spec?.alias && !job.aliasMoved) return `aimass jobs report ${job.id} · aimass models show ${full}`;
  const alias = job.aliasMoved ? "" : `aimass models alias ${full} default ${job.modelVersion} · `;
  return `aimass jobs report ${job.id} · ${alias}aimass deploy ${full}`;
}
