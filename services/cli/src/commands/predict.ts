import { AimassError } from "@aimass/core";
import type { Command } from "commander";
import { classifierOutputs, type Prediction, predictionsOf, scoresOutput } from "../client/class-scores.ts";
import { elementText, exactly } from "../client/exact-json.ts";
import { columnsOf, hasHalves } from "../client/example-call.ts";
import { knownCategories, knownCells } from "../client/known-columns.ts";
import {
  exampleInputs,
  type KnownCategories,
  type KnownCells,
  readInputs,
  textInputs,
} from "../client/predict-inputs.ts";
import {
  type InputTensor,
  infer,
  type ModelAddress,
  modelMetadata,
  predict,
  type RestAnswer,
  type RestMetadata,
  type RestTensor,
} from "../client/rest-inference.ts";
import { bar, numberTable, percent, short } from "../output/charts.ts";
import { modelName } from "../output/format.ts";
import { action, type CommandContext, versionArgument } from "./context.ts";
import { givenFileOptions, type PredictFileFlags, predictFileCommand, withPredictFileOptions } from "./predict-file.ts";

/** A person reads so many classes. */
const shownClasses = 10;

interface PredictOptions extends PredictFileFlags {
  readonly input?: string[];
  readonly text?: string;
}

export function addPredict(program: Command): void {
  const command = program
    .command("predict")
    .description("call a model once, or on every row of a file")
    .argument("<model>", '"model", "model:version" or "model@alias"')
    .argument(
      "[file]",
      "CSV, TSV, JSON, JSON Lines (.gz and .zst too), .xlsx, Parquet or Feather, whose columns are called as the model's inputs; - is standard input",
    )
    .option(
      "-i, --input <input>",
      "all inputs as '{\"x\": [[1, 2, 3]]}' or @file.json, or one as name=VALUE, name=@picture.png; may come again; an example is made when left out",
      (value: string, before: string[] = []) => [...before, value],
    )
    .option("-t, --text <text>", "for a model that takes one string");
  withPredictFileOptions(command)
    .addHelpText("after", examples)
    .action(
      action<PredictOptions>(async (context, options, [name, file]) => {
        if (file !== undefined) {
          assertNoInput(options);
          return await predictFileCommand(context, options, [name as string, file]);
        }
        assertNoFileOptions(command);
        const { connection, output } = context;
        const { project, model, version } = versionArgument(name as string);
        const at = { model: modelName(project, model), version };
        const metadata = await modelMetadata(connection, at);
        const inputs = await inputsOf(metadata, options, {
          categories: () => knownCategories(connection, { project, model, version }),
          cells: () => knownCells(connection, { project, model, version }),
        });
        const scores = await scoresOutput(connection, { project, model, version }, metadata);
        const startedAt = performance.now();
        if (hasHalves(metadata)) return await predictNumbers(context, { at, inputs, isExample: isExample(options) });
        const answer = await infer(connection, at, inputs, classifierOutputs(metadata, scores));
        const ms = performance.now() - startedAt;
        const predictions = predictionsOf(answer, scores);
        output.result({ ...exactly(answer), ...(predictions.length === 0 ? {} : { predictions }), ms }, () => [
          ...(isExample(options) ? inputs.map(describeExample) : []),
          ...(predictions.length === 0 ? describeOutputs(answer) : predictions.flatMap(describePrediction)),
          `served by ${answer.model_name} v${answer.model_version} in ${ms.toFixed(1)} ms`,
        ]);
      }),
    );
}

const examples = `
On a file: aimass predict churn customers.csv -o scored.csv
           aimass predict churn@default rows.parquet --only-predictions --format jsonl`;

function assertNoInput({ input, text }: PredictOptions): void {
  if (input === undefined && text === undefined) return;
  throw new AimassError("INVALID_ARGUMENT", "A file was given together with --input or --text.", {
    remedy: "Give one of them.",
  });
}

function assertNoFileOptions(command: Command): void {
  const given = givenFileOptions(command);
  if (given.length === 0) return;
  const say = given.length === 1 ? "says" : "say";
  throw new AimassError(
    "INVALID_ARGUMENT",
    `${given.join(" and ")} ${say} how a file is predicted, and no file was named.`,
    {
      remedy: "Name it: aimass predict MODEL rows.csv -o out.csv.",
    },
  );
}

const isExample = ({ input, text }: PredictOptions) => input === undefined && text === undefined;

/** A call by `/predict`, which has numbers for FP16 and BF16 where REST v2 has bytes alone. */
async function predictNumbers(
  { connection, output }: CommandContext,
  { at, inputs, isExample }: { at: ModelAddress; inputs: readonly InputTensor[]; isExample: boolean },
): Promise<void> {
  const startedAt = performance.now();
  const { predictions } = await predict(connection, at, { inputs: columnsOf(inputs.filter(isTyped)) });
  const ms = performance.now() - startedAt;
  output.result({ predictions, ms }, () => [
    ...(isExample ? inputs.map(describeExample) : []),
    ...predictions.map((one) => JSON.stringify(one)),
    `served by ${at.model} in ${ms.toFixed(1)} ms`,
  ]);
}

const isTyped = (tensor: InputTensor): tensor is RestTensor => "data" in tensor;

async function inputsOf(
  metadata: RestMetadata,
  { input, text }: PredictOptions,
  known: { readonly categories: () => Promise<KnownCategories>; readonly cells: () => Promise<KnownCells> },
): Promise<readonly InputTensor[]> {
  if (input !== undefined && text !== undefined)
    throw new AimassError("INVALID_ARGUMENT", "--text and --input were given together.", {
      remedy: "Give one of them.",
    });
  if (input !== undefined) return readInputs(metadata, input, known.cells);
  return text === undefined ? exampleInputs(metadata, undefined, await known.categories()) : textInputs(metadata, text);
}

function describeExample(tensor: InputTensor): string {
  const data = "data" in tensor ? shorten(tensor.data, tensor.datatype) : `${tensor.bytes.length} bytes`;
  return `${tensor.name} = ${data}  (an example; give yours with --input)`;
}

function describeOutputs(answer: RestAnswer): string[] {
  return answer.outputs.map((t) => `${t.name}: ${t.datatype}[${t.shape.join(",")}] = ${shorten(t.data, t.datatype)}`);
}

/** The classes of one row, the likeliest first: probabilities with bars, other scores as numbers. */
function describePrediction(prediction: Prediction): string[] {
  const areShares = "probabilities" in prediction;
  const all = Object.entries(areShares ? prediction.probabilities : prediction.scores).sort(([, a], [, b]) => b - a);
  const shown = all
    .slice(0, shownClasses)
    .map(([name, p]) => (areShares ? [name, percent(p), bar(p)] : [name, short(p)]));
  const [, ...lines] = numberTable(["", "", ""], shown);
  const more = all.length > shownClasses ? [`  and ${all.length - shownClasses} more`] : [];
  return [prediction.label, ...lines.map((line) => `  ${line}`), ...more];
}

function shorten(data: readonly unknown[], datatype: string): string {
  const shown = data.slice(0, 10).map((value) => elementText(value, datatype));
  return `[${shown.join(", ")}${data.length > 10 ? `, … ${data.length} in all` : ""}]`;
}
