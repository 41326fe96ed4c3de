import { BatchingChoice, type ServingOptions, ServingOptionsSchema } from "@aimass/api/registry";
import { AimassError, closest, didYouMean } from "@aimass/core";
import { create } from "@bufbuild/protobuf";
import { parseDocument } from "yaml";
import { invalid, shorten } from "../names.ts";
import { type Columns, readColumns } from "./columns.ts";

/** What `model.yaml` said. Anything it leaves out is undefined. */
export interface Manifest {
  readonly description: string | undefined;
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly serving: ServingOptions | undefined;
  /** Names of the classes, by output. */
  readonly classes: ReadonlyMap<string, readonly string[]>;
  /** What the cells of columns mean, by input. */
  readonly columns: Columns;
}

export const noManifest: Manifest = {
  description: undefined,
  labels: undefined,
  serving: undefined,
  classes: new Map(),
  columns: {},
};

/** Largest model.yaml, in bytes. */
export const maxManifestBytes = 256 * 1024;

const servingFields = {
  max_batch_size: "maxBatchSize",
  batch_delay_us: "batchDelayUs",
  queue_limit: "queueLimit",
  run_limit_ms: "runLimitMs",
  intra_op_threads: "intraOpThreads",
  instances: "instances",
  priority_levels: "priorityLevels",
  default_priority_level: "defaultPriorityLevel",
} as const;

const readKeys = ["description", "labels", "serving", "batching", "outputs", "columns"];

/** Kept in the file for people; so is what begins with "x-". */
const peoplesKeys = "name version author authors license source tags metadata inputs".split(" ");
const outputKeys = ["name", "labels", "description", "datatype", "shape"];

const largestOption = 2 ** 31 - 1;
const mostPriorityLevels = 100;

/** Longest statement of why rows do not meet, in characters. */
const longestStatement = 500;

/**
 * Reads a `model.yaml`:
 *
 * ```yaml
 * description: What the model is for.
 * labels: { team: risk }
 * serving: { max_batch_size: 16, run_limit_ms: 5000 }
 * batching: off            # or { stated: "why no row depends on the others" }
 * outputs:
 *   - name: probabilities
 *     labels: [no, yes]
 * columns:
 *   age: { kind: number, missing: [NA] }
 * ```
 *
 * Keys for people, such as `author`, `license` and all that begin with `x-`, are kept in the file. Errors: INVALID_ARGUMENT, with the key that is wrong, or not known.
 */
export function readManifest(text: string): Manifest {
  const root = parseYaml(text);
  if (root === null || root === undefined) return noManifest;
  const top = asMap(root, "model.yaml");
  assertKeys(top);
  return {
    description: top.description === undefined ? undefined : asText(top.description, "description"),
    labels: top.labels === undefined ? undefined : readLabels(top.labels),
    serving: readOptions(top),
    classes: top.outputs === undefined ? new Map() : readClasses(top.outputs),
    columns: top.columns === undefined ? {} : readColumns(top.columns),
  };
}

/** A misspelt key would say nothing, and be obeyed by nobody. */
function assertKeys(top: Record<string, unknown>): void {
  const unknown = Object.keys(top).find(
    (key) => !readKeys.includes(key) && !peoplesKeys.includes(key) && !key.startsWith("x-"),
  );
  if (unknown === undefined) return;
  const option = closest(unknown, Object.keys(servingFields));
  const meant = didYouMean(unknown, readKeys) || (option === undefined ? "" : `Did you mean serving.${option}? `);
  throw wrong(
    unknown,
    "is not known",
    `${meant}Known are ${readKeys.join(", ")}; for people ${peoplesKeys.join(", ")}, and what begins with x-.`,
  );
}

/** Serving options within bounds. Errors: INVALID_ARGUMENT. */
export function assertServing(serving: ServingOptions): void {
  for (const [name, field] of Object.entries(servingFields)) {
    if (serving[field] < 0)
      throw invalid(
        `serving.${name}`,
        `serving.${name} is ${serving[field]}.`,
        "0 means the default; other values are positive.",
      );
  }
  assertPriorities(serving);
  assertStatement(serving);
}

/** Who says that rows do not meet says why, in words that are shown; nobody says why otherwise. */
function assertStatement({ batching, batchingStatement }: ServingOptions): void {
  const statement = batchingStatement.trim();
  const field = "serving.batching_statement";
  if (batching === BatchingChoice.STATED && statement === "") {
    throw invalid(
      field,
      "Batching is stated without a statement.",
      "Say in a sentence why no row depends on the others.",
    );
  }
  if (batching !== BatchingChoice.STATED && statement !== "") {
    throw invalid(
      field,
      "There is a statement about batching, but batching is not stated.",
      "Choose BATCHING_CHOICE_STATED.",
    );
  }
  if (statement.length > longestStatement) {
    throw invalid(
      field,
      `The statement about batching has ${statement.length} characters.`,
      `At most ${longestStatement} fit.`,
    );
  }
}

function assertPriorities({ priorityLevels, defaultPriorityLevel }: ServingOptions): void {
  if (priorityLevels > mostPriorityLevels) {
    const message = `serving.priority_levels is ${priorityLevels}.`;
    throw invalid("serving.priority_levels", message, `At most ${mostPriorityLevels} can be told apart.`);
  }
  if (defaultPriorityLevel <= priorityLevels) return;
  throw invalid(
    "serving.default_priority_level",
    `serving.default_priority_level is ${defaultPriorityLevel}, and there are ${priorityLevels} levels.`,
    "It is one of 1 to serving.priority_levels, or 0 for the last.",
  );
}

function parseYaml(text: string): unknown {
  try {
    const document = parseDocument(text, { schema: "core", stringKeys: true });
    const problem = document.errors[0];
    if (problem !== undefined) throw problem;
    // Aliases are refused: a few lines of them can unfold to gigabytes.
    return document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    const why = shorten(String((error as Error).message).split("\n", 1)[0] ?? "");
    throw new AimassError("INVALID_ARGUMENT", `model.yaml cannot be read: ${why}`, {
      field: "model.yaml",
      remedy: "Write plain YAML without anchors and aliases.",
      cause: error,
    });
  }
}

function readLabels(value: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(asMap(value, "labels")).map(([key, label]) => [key, asText(label, `labels.${key}`)]),
  );
}

/** The keys `serving` and `batching` together. */
function readOptions(top: Record<string, unknown>): ServingOptions | undefined {
  if (top.serving === undefined && top.batching === undefined) return undefined;
  const serving = top.serving === undefined ? create(ServingOptionsSchema) : readServing(top.serving);
  if (top.batching !== undefined) readBatching(top.batching, serving);
  return serving;
}

function readBatching(value: unknown, serving: ServingOptions): void {
  const remedy = 'Write "batching: off", or "batching: { stated: why no row depends on the others }".';
  if (value === "off" || value === false) {
    serving.batching = BatchingChoice.OFF;
    return;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrong("batching", `is not known: it is ${shown(value)}`, remedy);
  const { stated, ...others } = value as Record<string, unknown>;
  const other = Object.keys(others)[0];
  if (other !== undefined || stated === undefined)
    throw wrong(`batching${other === undefined ? "" : `.${other}`}`, "is not known", remedy);
  serving.batching = BatchingChoice.STATED;
  serving.batchingStatement = asText(stated, "batching.stated").trim();
  if (serving.batchingStatement === "") throw wrong("batching.stated", "is empty", remedy);
  assertStatement(serving);
}

function readServing(value: unknown): ServingOptions {
  const serving = create(ServingOptionsSchema);
  for (const [key, number] of Object.entries(asMap(value, "serving"))) {
    const field = Object.hasOwn(servingFields, key) ? servingFields[key as keyof typeof servingFields] : undefined;
    if (field === undefined)
      throw wrong(
        `serving.${key}`,
        "is not known",
        `${didYouMean(key, Object.keys(servingFields))}Known are ${Object.keys(servingFields).join(", ")}.`,
      );
    if (!Number.isInteger(number) || (number as number) < 0 || (number as number) > largestOption) {
      throw wrong(
        `serving.${key}`,
        `is not a whole number of 0 to ${largestOption}: it is ${shown(number)}`,
        "0 means the default.",
      );
    }
    serving[field] = number as number;
  }
  assertPriorities(serving);
  return serving;
}

function readClasses(value: unknown): Map<string, readonly string[]> {
  if (!Array.isArray(value)) throw wrong("outputs", "is not a list", "Write a list of outputs, each with a name.");
  const classes = new Map<string, readonly string[]>();
  value.forEach((item: unknown, index) => {
    const output = asMap(item, `outputs[${index}]`);
    const name = asText(output.name, `outputs[${index}].name`);
    const unknown = Object.keys(output).find((key) => !outputKeys.includes(key));
    if (unknown !== undefined) {
      const remedy = `${didYouMean(unknown, outputKeys)}Known are ${outputKeys.join(", ")}.`;
      throw wrong(`outputs[${index}].${unknown}`, "is not known", remedy);
    }
    if (output.labels === undefined) return;
    if (!Array.isArray(output.labels))
      throw wrong(`outputs[${index}].labels`, "is not a list", "Write a list of class names.");
    classes.set(
      name,
      output.labels.map((label, at) => asText(label, `outputs[${index}].labels[${at}]`)),
    );
  });
  return classes;
}

function asMap(value: unknown, key: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw wrong(key, "is not a map", "Write keys and values.");
}

/** Numbers and booleans are taken as they would be written. */
function asText(value: unknown, key: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw wrong(key, "is not text", "Put it into quotes.");
}

function shown(value: unknown): string {
  return shorten(JSON.stringify(value) ?? String(value));
}

function wrong(key: string, what: string, remedy: string): AimassError {
  return invalid("model.yaml", `In model.yaml, ${shorten(key)} ${what}.`, remedy);
}
