import { AliasService } from "@aimass/api/registry";
import type { Job } from "@aimass/api/trainer";
import { classifierOutputs, predictionsOf, scoresOutput } from "../client/class-scores.ts";
import type { Connection } from "../client/connection.ts";
import { readInputs } from "../client/predict-inputs.ts";
import { infer, modelMetadata, predict } from "../client/rest-inference.ts";
import { pushDataset } from "../commands/datasets.ts";
import { deployModel } from "../commands/deploy.ts";
import { figure, percent, short } from "../output/charts.ts";
import { bytes, modelName } from "../output/format.ts";
import type { Output } from "../output/output.ts";
import { trainModel } from "../training/follow-job.ts";
import { dataFile, type Example, type ExampleCall } from "./example.ts";

/** What an example came to. */
export interface ExampleResult {
  readonly example: string;
  readonly model: string;
  readonly version: number;
  readonly jobId: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly answers: readonly ExampleAnswer[];
  readonly seconds: number;
  /** Ready to paste. */
  readonly calls: readonly string[];
}

/** What the deployed model said, and what is so. */
export interface ExampleAnswer {
  readonly given: string;
  readonly answer: string | number;
  /** Of the label; absent for a number. */
  readonly probability?: number;
  readonly expected: string | number;
  readonly right: boolean;
}

interface Run {
  readonly connection: Connection;
  readonly output: Output;
  readonly project: string;
}

/** Data → model → alias → replica → answers, told line by line. Errors: as each step. */
export async function runExample(run: Run, example: Example): Promise<ExampleResult> {
  const startedAt = performance.now();
  const { output, project } = run;
  const model = modelName(project, example.name);
  await push(run, example);
  const job = await train(run, example);
  if (!job.aliasMoved) await moveAlias(run, example.name, job.modelVersion);
  const summary = await deployModel(run.connection, { project, model: example.name, replicas: 1 }, { output });
  output.say(`deploy  ${summary}`);
  const answers: ExampleAnswer[] = [];
  for (const call of example.calls) {
    const answer = await answerTo(run, example.name, call);
    answers.push(answer);
    output.say(`call    ${tell(answer)}`);
  }
  return {
    ...{
      example: example.name,
      model,
      version: Number(job.modelVersion),
      jobId: job.id,
      metrics: job.metrics,
      answers,
    },
    seconds: Number(((performance.now() - startedAt) / 1000).toFixed(1)),
    calls: pasteable(run.connection.server, model, example.calls[0]),
  };
}

async function push({ connection, output, project }: Run, { name, file, source, shows }: Example): Promise<void> {
  const version = await pushDataset({
    ...{ connection, output, project, dataset: name, file: dataFile(file), source },
    description: `example of ${shows}`,
  });
  output.say(
    `push    ${file}: ${version.rows} rows, ${version.columns.length} columns, ${bytes(version.sizeBytes)}; ${source}`,
  );
}

async function train({ connection, output, project }: Run, { name, spec }: Example): Promise<Job> {
  const startedAt = performance.now();
  const job = await trainModel({
    connection,
    output,
    spec: { project, dataset: name, model: name, seed: 7n, alias: "default", ...spec },
  });
  const told = ["r2", "rmse", "accuracy", "macro_f1", "log_loss"].filter((metric) => job.metrics[metric] !== undefined);
  const metrics = told.map((metric) => `${metric} ${short(job.metrics[metric])}`).join(", ");
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  output.say(`train   ${spec.recipe}: ${metrics} on the held-out rows; ${name} v${job.modelVersion} in ${seconds} s`);
  return job;
}

async function moveAlias({ connection, project }: Run, model: string, version: bigint): Promise<void> {
  await connection
    .client(AliasService)
    .moveAlias({ project, model, alias: "default", version, reason: "aimass examples" });
}

async function answerTo({ connection, project }: Run, name: string, call: ExampleCall): Promise<ExampleAnswer> {
  const model = modelName(project, name);
  const { expected, within = 0 } = call;
  if (call.text !== undefined) {
    const [first] = (await predict(connection, { model, version: "" }, { text: call.text })).predictions;
    const { label, probabilities } = first as { label: string; probabilities: number[] };
    const answer = { given: call.text, answer: label, probability: Math.max(...probabilities) };
    return { ...answer, expected, right: label === expected };
  }
  const at = { model, version: "" };
  const metadata = await modelMetadata(connection, at);
  const scores = await scoresOutput(connection, { project, model: name, version: "" }, metadata);
  const inputs = await readInputs(metadata, typed(call, dataFile));
  const answer = await infer(connection, at, inputs, classifierOutputs(metadata, scores));
  const given = typed(call, (name) => name).join(" ");
  const [prediction] = predictionsOf(answer, scores);
  if (prediction === undefined) {
    const value = Number(answer.outputs[0]?.data[0]);
    return { given, answer: value, expected, right: Math.abs(value - Number(expected)) <= within };
  }
  const { label } = prediction;
  const sure = "probabilities" in prediction ? { probability: prediction.probabilities[label] ?? 0 } : {};
  return { given, answer: label, ...sure, expected, right: label === expected };
}

/** A row as `aimass predict --input` takes it. */
function typed({ row = {} }: ExampleCall, pathOf: (file: string) => string): string[] {
  return Object.entries(row).map(([name, value]) =>
    /\.png$/.test(String(value)) ? `${name}=@${pathOf(String(value))}` : `${name}=${value}`,
  );
}

function tell({ given, answer, probability, expected, right }: ExampleAnswer): string {
  const sure = probability === undefined ? "" : ` (${percent(probability)})`;
  const shown = typeof answer === "number" ? figure(answer) : answer;
  return `${given} → ${shown}${sure}${right && typeof answer === "string" ? "" : `; it was ${expected}`}`;
}

function pasteable(server: string, model: string, call: ExampleCall | undefined): string[] {
  if (call === undefined) return [];
  const url = `${server}/models/${model}/predict`;
  const curl = (body: object) =>
    `curl -s ${url} -H "authorization: Bearer $AIMASS_API_KEY" -H 'content-type: application/json' -d '${JSON.stringify(body)}'`;
  if (call.text !== undefined) return [`aimass predict ${model} --text '${call.text}'`, curl({ text: call.text })];
  const inputs = typed(call, dataFile).map((input) => `--input '${input}'`);
  const rows = Object.entries(call.row ?? {}).map(([name, value]) => [name, [value]] as const);
  const isPicture = rows.some(([, [value]]) => /\.png$/.test(String(value)));
  return [
    `aimass predict ${model} ${inputs.join(" ")}`,
    ...(isPicture ? [] : [curl({ inputs: Object.fromEntries(rows) })]),
  ];
}
