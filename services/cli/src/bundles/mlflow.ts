import { readFile } from "node:fs/promises";
import { AimassError } from "@aimass/core";
import { parse } from "yaml";
import type { FolderFile } from "./folder-files.ts";
import { asLocalFiles, filesBeside, graphFiles } from "./graph-files.ts";
import type { LocalModel } from "./local-bundle.ts";

const descriptor = "MLmodel";

export function isMlflow(found: readonly FolderFile[]): boolean {
  return found.some(({ path }) => path === descriptor);
}

/** A folder that mlflow.onnx wrote: the graph is where its onnx flavour says. Errors: INVALID_ARGUMENT, NOT_FOUND. */
export async function mlflowModel(folder: string, found: readonly FolderFile[]): Promise<LocalModel> {
  const file = found.find(({ path }) => path === descriptor) as FolderFile;
  const flavors = flavorsOf(await readFile(file.from, "utf8"), file.from);
  const data = flavors.onnx?.data;
  if (data === undefined)
    throw new AimassError(
      "INVALID_ARGUMENT",
      `${folder} is an MLflow model of the flavours ${Object.keys(flavors).join(", ") || "(none)"}.`,
      {
        remedy: "Only the flavour onnx is served: convert the model, and save it with mlflow.onnx.save_model.",
      },
    );
  const wanted = data.replace(/^\.\//, "").replace(/\/$/, "");
  const graph = found.find(({ path }) => path === wanted) ?? found.find(({ path }) => path === `${wanted}/model.onnx`);
  if (graph === undefined)
    throw new AimassError("NOT_FOUND", `${file.from} names the graph ${data}, which ${folder} lacks.`, {
      remedy: "Download the whole folder of the model.",
    });
  const own = await graphFiles(graph.from);
  return {
    told: `an MLflow model: ${graph.path} of the flavour onnx`,
    versions: [{ files: [...own.files, ...(await asLocalFiles(filesBeside(found, own)))] }],
    left: [],
  };
}

/** Errors: INVALID_ARGUMENT. */
function flavorsOf(text: string, file: string): { readonly onnx?: { readonly data?: string } } {
  const { flavors } = yamlMap(text, file) as { flavors?: Record<string, { data?: unknown } | null> };
  const data = flavors?.onnx?.data;
  return { ...flavors, ...(typeof data === "string" ? { onnx: { data } } : {}) } as { onnx?: { data?: string } };
}

/** Errors: INVALID_ARGUMENT. */
export function yamlMap(text: string, file: string): Record<string, unknown> {
  try {
    const value: unknown = parse(text, { schema: "core", maxAliasCount: 100 });
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    throw new TypeError("it is no map of keys and values");
  } catch (error) {
    throw new AimassError(
      "INVALID_ARGUMENT",
      `${file} cannot be read: ${(error as Error).message.split("\n", 1)[0]}.`,
      {
        remedy: "It is written as YAML.",
        cause: error,
      },
    );
  }
}
