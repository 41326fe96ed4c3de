import {
  DataPolicySchema,
  type Gate,
  GateSchema,
  type JobSpec,
  JobSpecSchema,
  ScriptSchema,
  type Search,
  SearchSchema,
  type Split,
  SplitSchema,
} from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { clone, create } from "@bufbuild/protobuf";
import { modelArgument, pairs } from "../commands/context.ts";
import { commandWords, decimal, duration, oneOf, wholeNumber } from "./arguments.ts";

/** What `aimass train` takes beside a file, as it was typed. */
export interface JobFlags {
  readonly dataset?: string;
  readonly datasetVersion?: string;
  readonly target?: string;
  readonly model?: string;
  readonly recipe?: string;
  readonly task?: string;
  readonly feature?: readonly string[];
  readonly param?: readonly string[];
  readonly testShare?: string;
  readonly validation?: string;
  readonly split?: string;
  readonly seed?: string;
  readonly cv?: string;
  readonly missing?: string;
  readonly missingTarget?: string;
  readonly duplicates?: string;
  readonly unknownCategories?: string;
  readonly search?: string;
  readonly trials?: string;
  readonly parallel?: string;
  readonly budget?: string;
  readonly searchMetric?: string;
  readonly gate?: readonly string[];
  readonly minR2?: string;
  readonly betterThan?: string;
  readonly notWorseThan?: string;
  readonly maxLatency?: string;
  readonly alias?: string;
  readonly priority?: string;
  readonly timeLimit?: string;
  readonly command?: string;
}

/** What was written in a file, with what the flags say in its place. Errors: INVALID_ARGUMENT naming the flag. */
export function withFlags(written: JobSpec, flags: JobFlags): JobSpec {
  const spec = clone(JobSpecSchema, written);
  setNames(spec, flags);
  setSplit(spec, flags);
  setDataPolicy(spec, flags);
  setSearch(spec, flags);
  if (flags.feature !== undefined) spec.features = [...flags.feature];
  Object.assign(spec.parameters, recipeParameters(flags.param).parameters);
  Object.assign(spec.choices, recipeParameters(flags.param).choices);
  if (flags.task !== undefined) spec.task = oneOf("--task", flags.task, ["regression", "classification"]);
  if (flags.priority !== undefined) spec.priority = wholeNumber("--priority", flags.priority, -100);
  if (flags.timeLimit !== undefined) spec.timeLimitSeconds = someTime("--time-limit", flags.timeLimit);
  if (flags.command !== undefined) {
    spec.script ??= create(ScriptSchema);
    spec.script.command = commandWords("--command", flags.command);
  }
  if (spec.recipe === "" && spec.script === undefined) spec.recipe = "linear";
  setGates(spec, flags);
  return spec;
}

/** Errors: INVALID_ARGUMENT for what a job cannot do without. */
export function checkComplete(spec: JobSpec): void {
  for (const [field, what] of [
    ["dataset", "which dataset to train on"],
    ["target", "which column to predict"],
    ["model", "which model gets the version"],
  ] as const)
    if (spec[field] === "")
      throw new AimassError("INVALID_ARGUMENT", `Nothing says ${what}.`, {
        remedy: `Give --${field}, or ${field} in the file.`,
      });
}

function setNames(spec: JobSpec, flags: JobFlags): void {
  const dataset = flags.dataset === undefined ? undefined : modelArgument(flags.dataset, "dataset");
  const model = flags.model === undefined ? undefined : modelArgument(flags.model);
  if (dataset !== undefined && model !== undefined && dataset.project !== model.project)
    throw new AimassError(
      "INVALID_ARGUMENT",
      `The dataset is in project ${dataset.project}, the model in ${model.project}.`,
      { remedy: "Name both in one project." },
    );
  const named = [flags.model, flags.dataset].find((name) => name?.includes("."));
  if (named !== undefined) spec.project = modelArgument(named).project;
  if (spec.project === "") spec.project = "default";
  if (dataset !== undefined) spec.dataset = dataset.model;
  if (model !== undefined) spec.model = model.model;
  if (flags.datasetVersion !== undefined)
    spec.datasetVersion = BigInt(wholeNumber("--dataset-version", flags.datasetVersion));
  if (flags.target !== undefined) spec.target = flags.target;
  if (flags.recipe !== undefined) spec.recipe = flags.recipe;
  if (flags.alias !== undefined) spec.alias = flags.alias;
}

function setSplit(spec: JobSpec, flags: JobFlags): void {
  if (flags.testShare !== undefined) spec.testShare = share("--test-share", flags.testShare);
  if (flags.seed !== undefined) spec.seed = BigInt(wholeNumber("--seed", flags.seed));
  if (flags.cv !== undefined) spec.folds = wholeNumber("--cv", flags.cv, 2);
  if (flags.split === undefined && flags.validation === undefined) return;
  spec.split ??= create(SplitSchema);
  if (flags.validation !== undefined) spec.split.validationShare = decimal("--validation", flags.validation);
  if (flags.split !== undefined) setKindOfSplit(spec.split, flags.split);
}

/** In a spec 0 stands for the trainer's own limit. */
function someTime(flag: string, text: string): number {
  const seconds = duration(flag, text);
  if (seconds > 0) return seconds;
  throw new AimassError("INVALID_ARGUMENT", `${flag} is ${text}.`, {
    remedy: `Give a time above 0, such as 60s, 5m or 2h; leave ${flag} out for the usual one.`,
  });
}

/** In a spec 0 stands for the usual share. */
function share(flag: string, text: string): number {
  const value = decimal(flag, text);
  if (value > 0) return value;
  throw new AimassError("INVALID_ARGUMENT", `${flag} is ${text}.`, { remedy: "Give a share of the rows above 0." });
}

function setKindOfSplit(split: Split, text: string): void {
  const at = text.indexOf(":");
  const [kind, column] = at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
  Object.assign(split, { stratifyBy: "", groupBy: "", timeBy: "", plain: false });
  if (kind === "plain" && column === "") split.plain = true;
  else if (kind === "stratified") split.stratifyBy = column;
  else if (kind === "grouped" && column !== "") split.groupBy = column;
  else if (kind === "time" && column !== "") split.timeBy = column;
  else
    throw new AimassError("INVALID_ARGUMENT", `--split is "${text}".`, {
      remedy: "Give plain, stratified, stratified:COLUMN, grouped:COLUMN or time:COLUMN.",
    });
}

function setDataPolicy(spec: JobSpec, flags: JobFlags): void {
  const { missing, missingTarget, duplicates, unknownCategories } = flags;
  if ([missing, missingTarget, duplicates, unknownCategories].every((flag) => flag === undefined)) return;
  spec.data ??= create(DataPolicySchema);
  if (missing !== undefined) spec.data.missing = oneOf("--missing", missing, ["impute", "drop", "refuse"]);
  if (missingTarget !== undefined)
    spec.data.missingTarget = oneOf("--missing-target", missingTarget, ["refuse", "drop"]);
  if (duplicates !== undefined) spec.data.duplicates = oneOf("--duplicates", duplicates, ["keep", "drop", "refuse"]);
  if (unknownCategories !== undefined)
    spec.data.unknownCategories = oneOf("--unknown-categories", unknownCategories, ["other", "none", "frequent"]);
}

function setSearch(spec: JobSpec, flags: JobFlags): void {
  const { search, trials, parallel, budget, searchMetric } = flags;
  const changes: Partial<Search> = {
    ...(search === undefined ? {} : { method: oneOf("--search", search, ["random", "halving"]) }),
    ...(trials === undefined ? {} : { trials: wholeNumber("--trials", trials, 1) }),
    ...(parallel === undefined ? {} : { parallel: wholeNumber("--parallel", parallel, 1) }),
    ...(budget === undefined ? {} : { budgetSeconds: someTime("--budget", budget) }),
    ...(searchMetric === undefined ? {} : { metric: searchMetric }),
  };
  if (Object.keys(changes).length === 0) return;
  spec.search = Object.assign(spec.search ?? create(SearchSchema), changes);
}

/** Gates of the flags stand in the place of those of the file. */
function setGates(spec: JobSpec, flags: JobFlags): void {
  const gates = gatesOf(spec, flags);
  if (gates.length === 0) return;
  const [first, ...further] = gates;
  if (first !== undefined) spec.gate = first;
  spec.gates = further;
}

function gatesOf(spec: JobSpec, { gate, minR2, betterThan, notWorseThan, maxLatency }: JobFlags): Gate[] {
  const gates = Object.entries(pairs(gate)).map(([metric, bound]) =>
    create(GateSchema, { metric, bound: decimal("--gate", bound) }),
  );
  if (minR2 !== undefined) gates.push(create(GateSchema, { metric: "r2", bound: decimal("--min-r2", minR2) }));
  const usual = gates[0]?.metric ?? usualMetric(spec);
  if (betterThan !== undefined) gates.push(better(betterThan, usual));
  if (notWorseThan !== undefined) gates.push(notWorse(notWorseThan, usual));
  if (maxLatency !== undefined) gates.push(create(GateSchema, { metric: "latency_ms", bound: latency(maxLatency) }));
  return gates;
}

/** "default", "default:accuracy" or "default:accuracy=0.01". Without a metric, where it is not plain, it stays empty. */
function better(text: string, usual = ""): Gate {
  const [, alias, metric = usual, margin = "0"] = /^([^:=]+)(?::([^:=]+)(?:=([^:=]+))?)?$/.exec(text) ?? [];
  if (alias === undefined)
    throw new AimassError("INVALID_ARGUMENT", `--better-than is "${text}".`, {
      remedy: "Give an alias, default:accuracy, or default:accuracy=0.01 for better by that much.",
    });
  return create(GateSchema, { metric, bound: decimal("--better-than", margin), betterThan: alias });
}

/** "default" or "default:accuracy". */
function notWorse(text: string, usual = ""): Gate {
  const [, alias, metric = usual] = /^([^:=]+)(?::([^:=]+))?$/.exec(text) ?? [];
  if (alias === undefined)
    throw new AimassError("INVALID_ARGUMENT", `--not-worse-than is "${text}".`, {
      remedy: "Give an alias, or an alias and a metric like default:accuracy.",
    });
  return create(GateSchema, { metric, betterThan: alias, orEqual: true });
}

/** In milliseconds. A number alone might mean them, or seconds as elsewhere. */
function latency(text: string): number {
  if (!/[a-z]\s*$/.test(text))
    throw new AimassError("INVALID_ARGUMENT", `--max-latency is "${text}", without a unit.`, {
      remedy: `Give ${text.trim() || "5"}ms or ${text.trim() || "5"}s.`,
    });
  return duration("--max-latency", text) * 1000;
}

/** The metric of a job whose task is plain from what is written. */
function usualMetric({ task, recipe }: JobSpec): string | undefined {
  if (task === "regression" || /^(linear|ridge|lasso|elastic-net)$/.test(recipe)) return "r2";
  if (task === "classification" || /^(logistic-regression|linear-svm|naive-bayes-\w+)$/.test(recipe)) return "accuracy";
  return undefined;
}

/** Numbers and words apart. */
function recipeParameters(given: readonly string[] | undefined) {
  const isNumber = ([, value]: [string, string]) => value.trim() !== "" && Number.isFinite(Number(value));
  const all = Object.entries(pairs(given));
  return {
    parameters: Object.fromEntries(all.filter(isNumber).map(([name, value]) => [name, Number(value)])),
    choices: Object.fromEntries(all.filter((pair) => !isNumber(pair))),
  };
}
