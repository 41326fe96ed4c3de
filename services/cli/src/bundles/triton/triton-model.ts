import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { AimassError } from "@aimass/core";
import { fileSource } from "../../client/upload.ts";
import type { FolderFile } from "../folder-files.ts";
import { graphFiles } from "../graph-files.ts";
import { type LocalBundle, type LocalFile, type LocalModel, pathKey } from "../local-bundle.ts";
import { fitsClasses, listed, type Manifest, manifestName, tensorsOf, withManifest } from "../manifest.ts";
import { differences } from "./differences.ts";
import { type ModelConfig, readModelConfig, type VersionPolicy } from "./model-config.ts";

const configName = "config.pbtxt";

/** Whether the files are those of a model in Triton's layout: a config.pbtxt, or a graph below a folder with a number. */
export function isTritonModel(found: readonly FolderFile[]): boolean {
  return found.some(({ path }) => path === configName || /^[1-9]\d*\/model\.onnx(\/model\.onnx)?$/.test(path));
}

/**
 * A model in Triton's layout: `config.pbtxt`, `<number>/model.onnx`, files of labels. Every version becomes one here, in order; what the configuration says of
 * names, labels and serving goes into a model.yaml, and what it says beyond is named. Errors: INVALID_ARGUMENT, NOT_FOUND.
 */
export async function tritonModel(folder: string, found: readonly FolderFile[]): Promise<LocalModel> {
  const file = found.find(({ path }) => path === configName);
  const config = readModelConfig(file === undefined ? "" : await readFile(file.from, "utf8"), file?.from ?? configName);
  assertOnnx(folder, config);
  const numbers = versionsOf(found, config.modelFile);
  if (numbers.length === 0) throw noVersion(folder, config.modelFile);
  const served = servedVersions(numbers, config.policy);
  if (served.length === 0) throw noneServed(folder, numbers, config.policy);
  const labels = await readLabels(folder, found, config);
  const left = new Set(config.left.map((field) => `${field} of config.pbtxt`));
  if (found.some(({ path }) => path === manifestName))
    left.add("config.pbtxt: the folder has a model.yaml, which is taken instead");
  const versions: LocalBundle[] = [];
  for (const number of numbers) {
    const { bundle, differs } = await versionBundle(found, config, { number, labels });
    for (const line of differs) left.add(line);
    versions.push(bundle);
  }
  const others = served.slice(0, -1).join(" ");
  if (others !== "")
    left.add(
      `version_policy: Triton serves ${served.join(", ")} at once; here the others are served with aimass deploy --version`,
    );
  const [first, ...later] = versions;
  return {
    told: told(config, { numbers, labels, configured: file !== undefined }),
    name: config.name || basename(folder),
    versions: [first as LocalBundle, ...later],
    serves: numbers.indexOf(served.at(-1) as string),
    left: [...left],
  };
}

function told(config: ModelConfig, at: { numbers: readonly string[]; labels: Labels; configured: boolean }): string {
  const parts = [
    at.numbers.length === 1 ? `version ${at.numbers[0]}` : `${at.numbers.length} versions (${listed(at.numbers)})`,
    ...(at.configured ? [] : ["without a config.pbtxt"]),
    ...(config.maxBatchSize === undefined ? [] : [`max_batch_size ${config.maxBatchSize}`]),
    ...[...at.labels].map(([output, labels]) => `labels of ${output}: ${listed(labels)}`),
  ];
  return `a Triton model: ${parts.join(", ")}`;
}

/** Errors: INVALID_ARGUMENT. */
function assertOnnx(folder: string, { backend, modelFile }: ModelConfig): void {
  if (["", "onnxruntime", "onnxruntime_onnx"].includes(backend) && modelFile !== "") return;
  throw new AimassError("INVALID_ARGUMENT", `${folder} is a Triton model of the backend ${backend}.`, {
    remedy: "Only ONNX models are served: export it as ONNX, with the backend onnxruntime.",
  });
}

/** Numbers of the folders with a graph, smallest first. */
function versionsOf(found: readonly FolderFile[], modelFile: string): string[] {
  const numbers = found.flatMap(({ path }) => {
    const [, number, rest] = /^([1-9]\d*)\/(.*)$/.exec(path) ?? [];
    return number !== undefined && (rest === modelFile || rest === `${modelFile}/model.onnx`) ? [number] : [];
  });
  return [...new Set(numbers)].sort((left, right) => Number(BigInt(left) - BigInt(right)));
}

function servedVersions(numbers: readonly string[], policy: VersionPolicy): string[] {
  if (policy.kind === "all") return [...numbers];
  if (policy.kind === "latest") return numbers.slice(-policy.count);
  return numbers.filter((number) => policy.versions.includes(number));
}

function noVersion(folder: string, modelFile: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", `${folder} has a config.pbtxt and no version with ${modelFile}.`, {
    remedy: `Triton's layout is ${basename(folder)}/1/${modelFile}, with a folder for each version.`,
  });
}

function noneServed(folder: string, numbers: readonly string[], policy: VersionPolicy): AimassError {
  const wanted = policy.kind === "specific" ? policy.versions.join(", ") : "none";
  return new AimassError(
    "INVALID_ARGUMENT",
    `${folder} has the versions ${numbers.join(", ")}, and its version_policy wants ${wanted}.`,
    {
      remedy: "Name one that is there, or leave version_policy out.",
    },
  );
}

/** Names of the classes, by output. */
type Labels = ReadonlyMap<string, readonly string[]>;

/** Errors: NOT_FOUND. */
async function readLabels(folder: string, found: readonly FolderFile[], { outputs }: ModelConfig): Promise<Labels> {
  const labels = new Map<string, readonly string[]>();
  for (const { name, labelFile } of outputs) {
    if (labelFile === "") continue;
    const file = found.find(({ path }) => path === labelFile);
    if (file === undefined)
      throw new AimassError("NOT_FOUND", `The output ${name} has its labels in ${labelFile}, which ${folder} lacks.`, {
        remedy: "Put the file there, or leave label_filename out.",
      });
    const text = (await readFile(file.from, "utf8")).replace(/^\uFEFF/, "");
    labels.set(name, text.replace(/(\r?\n)+$/, "").split(/\r?\n/));
  }
  return labels;
}

/** The files of one version: its folder's, and those beside the folders of all. */
async function versionBundle(
  found: readonly FolderFile[],
  config: ModelConfig,
  { number, labels }: { number: string; labels: Labels },
): Promise<{ bundle: LocalBundle; differs: readonly string[] }> {
  const at = (rest: string) => found.find(({ path }) => path === `${number}/${rest}`);
  const graph = at(config.modelFile) ?? at(`${config.modelFile}/model.onnx`);
  const { files, taken, model } = await graphFiles((graph as FolderFile).from);
  const used = new Set(files.map(({ path }) => pathKey(path)));
  const others: LocalFile[] = [];
  for (const { path, from } of found) {
    const own = path.startsWith(`${number}/`) ? path.slice(number.length + 1) : path;
    if (taken.has(from) || used.has(pathKey(own)) || (own === path && /^\d+\//.test(path))) continue;
    used.add(pathKey(own));
    others.push({ path: own, source: await fileSource(from) });
  }
  const signature = tensorsOf(model);
  const fitting = new Map(
    [...labels].filter(([name, classes]) => {
      const output = signature.outputs.find((one) => one.name === name);
      return output !== undefined && fitsClasses(output, classes.length);
    }),
  );
  const bundle = {
    files: withManifest([...files, ...others], { ...servingOf(config), classes: fitting }),
    labels: { triton_version: number },
  };
  return { bundle, differs: model === undefined ? [] : differences(config, signature, labels) };
}

function servingOf(config: ModelConfig): Manifest {
  const wishes = {
    max_batch_size: config.maxBatchSize ?? 0,
    batch_delay_us: config.batchDelayUs,
    queue_limit: config.queueLimit,
    priority_levels: config.priorityLevels,
    default_priority_level: config.defaultPriorityLevel,
    instances: config.instances > 1 ? config.instances : 0,
  };
  const serving = Object.fromEntries(Object.entries(wishes).filter(([, value]) => value > 0));
  // To Triton 0 means that axis 0 is no batch, so that requests never meet.
  return { serving, ...(config.maxBatchSize === 0 ? { batching: "off" as const } : {}) };
}
