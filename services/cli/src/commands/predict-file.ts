import { AimassError } from "@aimass/core";
import { Command } from "commander";
import { datasetFormats, tableWords } from "../client/dataset-formats.ts";
import { modelName } from "../output/format.ts";
import { type FilePredicted, predictFile } from "../prediction/predict-file.ts";
import { resultFormats } from "../prediction/row-format.ts";
import { duration, oneOf, wholeNumber } from "../training/arguments.ts";
import { type CommandContext, versionArgument } from "./context.ts";
import { type ReadFlags, readOptions, withReadOptions } from "./read-options.ts";

/** The options of a prediction on a file. */
export interface PredictFileFlags extends ReadFlags {
  readonly output?: string;
  readonly format?: string;
  readonly fileFormat?: string;
  readonly onlyPredictions?: boolean;
  readonly skipErrors?: boolean;
  readonly resume?: boolean;
  readonly batchRows: string;
  readonly concurrency: string;
  readonly retryFor: string;
}

const mostAtOnce = 64;
const mostRows = 10_000;

/** Adds the options of a prediction on a file. */
export function withPredictFileOptions(command: Command): Command {
  return withReadOptions(
    command
      .option(
        "-o, --output <path>",
        "of a FILE: where its rows and their predictions go; standard output when left out",
      )
      .option("--format <format>", `of the output: ${resultFormats.join(", ")}; by its name when left out`)
      .option("--file-format <format>", `of FILE: ${tableWords.join(", ")}; by what is in it when left out`)
      .option("--only-predictions", "write the predictions without the columns of FILE")
      .option("--skip-errors", "pass over rows that are refused, and keep them in OUTPUT.errors")
      .option("--resume", "go on where an interrupted run to the same OUTPUT ended")
      .option("--batch-rows <n>", `rows of FILE in a request, 1 to ${mostRows}`, "256")
      .option("--concurrency <n>", `requests at once, 1 to ${mostAtOnce}`, "4")
      .option("--retry-for <time>", "how long a request is tried again while the mesh has no room for it", "2m"),
  );
}

/** Those of these options that a command was called with. */
export function givenFileOptions(command: Command): string[] {
  const { options } = withPredictFileOptions(new Command());
  const given = options.filter((option) => command.getOptionValueSource(option.attributeName()) === "cli");
  return given.map(({ long }) => long ?? "");
}

/** `predict MODEL FILE`. */
export async function predictFileCommand(
  { connection, output }: CommandContext,
  flags: PredictFileFlags,
  [model, file]: readonly [model: string, file: string],
): Promise<void> {
  const { output: to, format, fileFormat } = flags;
  const version = versionArgument(model);
  const toFile = to !== undefined && to !== "-";
  const startedAt = performance.now();
  using interrupted = new Interruption();
  try {
    const done = await predictFile({
      ...{ connection, output, version, file, read: readOptions(flags), signal: interrupted.signal },
      ...(fileFormat !== undefined && {
        fileFormat: datasetFormats[oneOf("--file-format", fileFormat, tableWords)].reader,
      }),
      ...(toFile && { to }),
      // On standard output JSON is a line each.
      ...(format !== undefined
        ? { format: oneOf("--format", format, resultFormats) }
        : output.json && !toFile && { format: "jsonl" as const }),
      onlyPredictions: flags.onlyPredictions ?? false,
      skipErrors: flags.skipErrors ?? false,
      resume: flags.resume ?? false,
      chunkRows: atMost("--batch-rows", wholeNumber("--batch-rows", flags.batchRows, 1), mostRows),
      chunksAtOnce: atMost("--concurrency", wholeNumber("--concurrency", flags.concurrency, 1), mostAtOnce),
      patienceMs: duration("--retry-for", flags.retryFor) * 1000,
    });
    const told = {
      ...summaryOf(done),
      output: toFile ? to : undefined,
      seconds: (performance.now() - startedAt) / 1000,
    };
    const lines = describe(told, modelName(version.project, version.model));
    if (toFile) output.result(told, () => lines);
    else for (const line of lines) output.say(line);
    if (done.refused > 0) process.exitCode = 1;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EPIPE") return;
    if (interrupted.status === undefined) throw error;
    process.exitCode = interrupted.status;
  }
}

/** Ctrl-C, or being asked to end: what is done is kept first. A second time ends at once. */
class Interruption implements Disposable {
  readonly #controller = new AbortController();
  /** What an interrupted process ends with. */
  status: number | undefined;

  constructor() {
    process.once("SIGINT", this.#onInterrupt);
    process.once("SIGTERM", this.#onTerminate);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    process.off("SIGINT", this.#onInterrupt);
    process.off("SIGTERM", this.#onTerminate);
  }

  readonly #onInterrupt = (): void => this.#end(130);
  readonly #onTerminate = (): void => this.#end(143);

  #end(status: number): void {
    this.status = status;
    this.#controller.abort();
  }
}

interface Summary {
  readonly rows: number;
  readonly refused: number;
  readonly versions: Readonly<Record<string, number>>;
  readonly errors: string | undefined;
}

function summaryOf({ rows, refused, versions, errorsPath }: FilePredicted): Summary {
  return { rows, refused, versions, errors: errorsPath };
}

function describe(
  { rows, refused, versions, errors, output, seconds }: Summary & { output: string | undefined; seconds: number },
  model: string,
): string[] {
  const by = Object.keys(versions).map((version) => `v${version}`);
  const where = output === undefined ? "" : ` into ${output}`;
  const refusedWhere = errors === undefined ? "" : `, kept in ${errors}`;
  return [
    `${rowsOf(rows - refused)} predicted by ${model} ${by.join(", ")}${where} in ${seconds.toFixed(1)} s`,
    ...(refused > 0 ? [`${rowsOf(refused)} refused${refusedWhere}`] : []),
    ...(by.length > 1 ? [`Several versions answered: name one as ${model}:VERSION to have all rows by it.`] : []),
  ];
}

function rowsOf(count: number): string {
  return `${count} row${count === 1 ? "" : "s"}`;
}

function atMost(option: string, value: number, most: number): number {
  if (value <= most) return value;
  throw new AimassError("INVALID_ARGUMENT", `${option} is ${value}.`, { remedy: `Give at most ${most}.` });
}
