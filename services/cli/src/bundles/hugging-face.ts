import { readFile } from "node:fs/promises";
import { AimassError } from "@aimass/core";
import type { TensorSpec } from "@aimass/onnx";
import { chooseGraph, isGraph } from "./choose-graph.ts";
import type { FolderFile } from "./folder-files.ts";
import { asLocalFiles, filesBeside, graphFiles } from "./graph-files.ts";
import type { LocalModel } from "./local-bundle.ts";
import { fitsClasses, listed, tensorsOf, withManifest } from "./manifest.ts";

/** Weights for other runtimes, and other variants of the graph with their data. */
const otherWeights = /\.(safetensors|bin|pt|pth|ckpt|h5|msgpack|ot|tflite|gguf|mlmodel|onnx|onnx[._]data.*)$/i;

/** Whether the files are those of a model as Hugging Face keeps them: a config.json of transformers with a graph beside it or in `onnx/`, or `onnx/` alone. */
export function isHuggingFace(found: readonly FolderFile[]): boolean {
  const inOnnx = found.some(({ path }) => /^onnx\/[^/]+\.onnx$/i.test(path));
  return (
    inOnnx ||
    (found.some(({ path }) => path === "config.json") && found.some(({ path }) => /^[^/]+\.onnx$/i.test(path)))
  );
}

/** `onnx/model.onnx`, or the variant that `file` names, with the tokenizer and the like; `id2label` of config.json names the classes. Errors: INVALID_ARGUMENT, NOT_FOUND. */
export async function huggingFaceModel(
  folder: string,
  found: readonly FolderFile[],
  file?: string,
): Promise<LocalModel> {
  const graph = chooseGraph(folder, found, file, ["model.onnx", "onnx/model.onnx"]);
  const own = await graphFiles(graph.from);
  const others = filesBeside(found, own);
  const kept = others.filter(({ path }) => !otherWeights.test(path));
  const variants = found.filter(isGraph).map(({ path }) => path);
  const labels = await labelsOf(found);
  const output = labels === undefined ? undefined : scoresOf(tensorsOf(own.model).outputs, labels.length);
  const left = [
    ...others
      .filter(({ path }) => otherWeights.test(path) && !/\.onnx/i.test(path))
      .map(({ path }) => `${path}: weights for another runtime`),
    ...(labels !== undefined && output === undefined
      ? [`id2label of config.json: no output has ${labels.length} scores`]
      : []),
  ];
  const classes = labels === undefined || output === undefined ? new Map() : new Map([[output.name, labels]]);
  const parts = [
    variants.length === 1
      ? graph.path
      : `${graph.path} of ${variants.length} variants (${listed(variants)}; --file chooses)`,
    ...(output === undefined ? [] : [`labels of ${output.name}: ${listed(labels ?? [])}`]),
  ];
  return {
    told: `a Hugging Face model: ${parts.join(", ")}`,
    versions: [{ files: withManifest([...own.files, ...(await asLocalFiles(kept))], { classes }) }],
    left,
  };
}

/** `id2label` in the order of its numbers; undefined where there is none that counts from 0. Errors: INVALID_ARGUMENT. */
async function labelsOf(found: readonly FolderFile[]): Promise<readonly string[] | undefined> {
  const file = found.find(({ path }) => path === "config.json");
  if (file === undefined) return undefined;
  const config = parsed(await readFile(file.from, "utf8"), file.from);
  const named = (config as { id2label?: unknown } | null)?.id2label;
  if (typeof named !== "object" || named === null) return undefined;
  const labels = Object.keys(named).map((_, id) => (named as Record<string, unknown>)[String(id)]);
  return labels.length > 0 && labels.every((label) => typeof label === "string") ? (labels as string[]) : undefined;
}

function parsed(text: string, file: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new AimassError("INVALID_ARGUMENT", `${file} is no JSON: ${(error as Error).message}.`, {
      remedy: "Download it again.",
      cause: error,
    });
  }
}

/** The output with a score for each class: "logits", as transformers names it, or the only one that fits. */
function scoresOf(outputs: readonly TensorSpec[], classes: number): TensorSpec | undefined {
  const scores = outputs.filter(
    (one) => /^(FP|BF)/.test(one.datatype) && one.shape.length >= 2 && fitsClasses(one, classes),
  );
  return scores.find(({ name }) => name === "logits") ?? (scores.length === 1 ? scores[0] : undefined);
}
