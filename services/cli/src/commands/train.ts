import { type Job, type JobSpecSchema, JobState, type RecipeParameter, TrainingService } from "@aimass/api/trainer";
import { AimassError, Backoff, systemClock } from "@aimass/core";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import type { Connection } from "../client/connection.ts";
import { enumName, modelName, time } from "../output/format.ts";
import { type Output, table } from "../output/output.ts";
import { action, modelArgument, pairs } from "./context.ts";

interface TrainOptions {
  readonly recipe: string;
  readonly dataset: string;
  readonly datasetVersion: string;
  readonly target: string;
  readonly model: string;
  readonly feature?: string[];
  readonly param?: string[];
  readonly testShare: string;
  readonly seed: string;
  readonly minR2?: string;
  readonly gate?: string;
  readonly task: string;
  readonly wait: boolean;
}

export function addTrain(program: Command): void {
  program
    .command("train")
    .description("train a model on a dataset; the result is the model's next version")
    .requiredOption("--dataset <name>", "the dataset")
    .requiredOption("--target <column>", "the column to predict")
    .requiredOption("--model <name>", "the model that gets the new version; made when missing")
    .option("--recipe <name>", "how to train; `aimass jobs recipes` lists them", "linear")
    .option(
      "--task <task>",
      "regression or classification, for a recipe that does both; by the target when left out",
      "",
    )
    .option("--dataset-version <n>", "a version of the dataset; the newest when left out", "0")
    .option("--feature <column...>", "columns to predict from; every other one when left out")
    .option("--param <name=value...>", "recipe parameters, for instance l2=1 or classWeights=balanced")
    .option("--test-share <share>", "share of rows held out for evaluation", "0.2")
    .option("--seed <n>", "seed of the split", "0")
    .option("--min-r2 <value>", "make no version when R² on the held-out rows is below this")
    .option("--gate <metric=bound>", "make no version when a held-out metric misses this, for instance accuracy=0.9")
    .option("--no-wait", "do not wait for the end")
    .action(
      action<TrainOptions>(async ({ connection, output }, options) => {
        const job = await trainModel({ connection, output, spec: jobSpec(options), wait: options.wait });
        output.result({ ...job, state: enumName(JobState, job.state) }, () => describeJob(job));
        const full = modelName(job.spec?.project ?? "default", job.spec?.model ?? "");
        if (job.modelVersion > 0n)
          output.hint(`Next: aimass models alias ${full} default ${job.modelVersion} · aimass deploy ${full}`);
      }),
    );
  const jobs = program.command("jobs").description("training jobs: list, cancel, recipes");
  jobs
    .command("list")
    .description("jobs, newest first")
    .action(
      action(async ({ connection, output }) => {
        const all = await allPages(
          (page) => connection.client(TrainingService).listJobs({ page }),
          (answer) => answer.jobs,
        );
        output.result(all, () =>
          table(
            ["JOB", "STATE", "RECIPE", "MODEL", "VERSION", "CREATED", "BY"],
            all.map((j) => [
              j.id,
              enumName(JobState, j.state),
              j.spec?.recipe ?? "",
              j.spec?.model ?? "",
              String(j.modelVersion || "-"),
              time(j.createdAt),
              j.createdBy,
            ]),
          ),
        );
      }),
    );
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
  jobs
    .command("recipes")
    .description("the built-in ways to train, with their parameters")
    .action(
      action(async ({ connection, output }) => {
        const { recipes } = await connection.client(TrainingService).listRecipes({});
        output.result(recipes, () =>
          recipes.flatMap((r) => [
            `${r.name} (${r.tasks.join(", ")}): ${r.description}`,
            ...r.parameters.map((p) => `  ${describeParameter(p)}: ${p.description}`),
          ]),
        );
      }),
    );
}

/** Queues a job and follows it to its end. Errors: FAILED_PRECONDITION with the job's own reason when it fails. */
export async function trainModel(o: {
  connection: Connection;
  output: Output;
  spec: MessageInitShape<typeof JobSpecSchema>;
  wait?: boolean;
}): Promise<Job> {
  const client = o.connection.client(TrainingService);
  const { job } = await client.createJob({ spec: o.spec, idempotencyKey: crypto.randomUUID() });
  if (o.wait === false) return job as Job;
  const bar = o.output.progress("training");
  const backoff = new Backoff();
  let last = job as Job;
  let sequence = 0n;
  for (let failures = 0; !hasEnded(last.state); ) {
    try {
      for await (const update of client.watchJob({ id: last.id, afterSequence: sequence }, { timeoutMs: 0 })) {
        sequence = update.sequence;
        if (update.event.case === "job") last = update.event.value;
        else if (update.event.case === "logLine") o.output.say(`  ${update.event.value}`);
        bar(hasEnded(last.state) ? 1 : last.progress, enumName(JobState, last.state).toLowerCase());
      }
      if (!hasEnded(last.state)) last = (await client.getJob({ id: last.id })).job as Job;
    } catch (error) {
      failures += 1;
      if (ConnectError.from(error).code !== Code.Unavailable || failures > 20) throw error;
      await systemClock.sleep(backoff.next());
    }
  }
  if (last.state !== JobState.SUCCEEDED)
    throw new AimassError(
      "FAILED_PRECONDITION",
      `Job ${last.id} ${enumName(JobState, last.state).toLowerCase()}: ${last.stateReason}`,
    );
  return last;
}

function hasEnded(state: JobState): boolean {
  return state === JobState.SUCCEEDED || state === JobState.FAILED || state === JobState.CANCELLED;
}

function describeJob(job: Job): string[] {
  const metrics = Object.entries(job.metrics).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`);
  const made =
    job.modelVersion > 0n
      ? ` and made ${modelName(job.spec?.project ?? "default", job.spec?.model ?? "")} v${job.modelVersion}`
      : "";
  return [
    `Job ${job.id} is ${enumName(JobState, job.state)}${made}.`,
    ...(metrics.length === 0 ? [] : [`held out: ${metrics.join(", ")}`]),
  ];
}

function jobSpec(o: TrainOptions): MessageInitShape<typeof JobSpecSchema> {
  const { project, model } = modelArgument(o.model);
  const dataset = modelArgument(o.dataset);
  if (dataset.project !== project)
    throw new AimassError(
      "INVALID_ARGUMENT",
      `The dataset is in project ${dataset.project}, the model in ${project}.`,
      { remedy: "Name both in one project." },
    );
  return {
    project,
    model,
    recipe: o.recipe,
    dataset: dataset.model,
    datasetVersion: BigInt(wholeNumber("--dataset-version", o.datasetVersion)),
    target: o.target,
    features: o.feature ?? [],
    testShare: decimal("--test-share", o.testShare),
    seed: BigInt(wholeNumber("--seed", o.seed)),
    task: o.task,
    ...recipeParameters(pairs(o.param)),
    ...jobGate(o),
  };
}

/** Numbers and words apart. */
function recipeParameters(given: Readonly<Record<string, string>>) {
  const isNumber = ([, value]: [string, string]) => value.trim() !== "" && Number.isFinite(Number(value));
  const all = Object.entries(given);
  return {
    parameters: Object.fromEntries(all.filter(isNumber).map(([name, value]) => [name, Number(value)])),
    choices: Object.fromEntries(all.filter((pair) => !isNumber(pair))),
  };
}

function jobGate({ minR2, gate }: TrainOptions): { gate?: { metric: string; bound: number } } {
  if (minR2 !== undefined && gate !== undefined)
    throw new AimassError("INVALID_ARGUMENT", "--min-r2 and --gate both name a gate.", { remedy: "Give one of them." });
  const [metric, bound] = gate === undefined ? ["r2", minR2] : (Object.entries(pairs([gate]))[0] ?? []);
  if (metric === undefined || bound === undefined) return {};
  return { gate: { metric, bound: decimal(gate === undefined ? "--min-r2" : "--gate", bound) } };
}

function describeParameter({ name, choices, defaultChoice, defaultValue, minimum, maximum }: RecipeParameter): string {
  if (choices.length > 0) return `${name} = ${defaultChoice || "by task"} (${choices.join(", ")})`;
  return `${name} = ${defaultValue} (${minimum} to ${maximum})`;
}

function decimal(option: string, text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value))
    throw new AimassError("INVALID_ARGUMENT", `${option} is "${text}".`, { remedy: "Give a number." });
  return value;
}

function wholeNumber(option: string, text: string): number {
  const value = decimal(option, text);
  if (!Number.isInteger(value) || value < 0)
    throw new AimassError("INVALID_ARGUMENT", `${option} is "${text}".`, { remedy: "Give a whole number." });
  return value;
}
