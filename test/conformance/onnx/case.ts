import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ModelProto } from "@aimass/api/onnx";
import type { Tensor } from "@aimass/oip";
import { elementTypeOfOnnx, readModel } from "@aimass/onnx";
import { readTensorFile } from "./tensor-file.ts";

/** One of ONNX's backend tests: a model and what must come out for what goes in. */
export interface OnnxCase {
  readonly name: string;
  readonly folder: string;
  readonly modelFile: string;
  readonly rtol: number;
  readonly atol: number;
  readonly dataSets: readonly string[];
  /** Names of the outputs as they are served; those of the graph unless given. */
  readonly outputs?: readonly string[];
  /** Class names of outputs as the registry is to find them. */
  readonly labels?: Readonly<Record<string, readonly string[]>>;
}

/** Inputs and expected outputs of one data set, under the names the model gives them. */
export interface DataSet {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

/** The cases in a folder that `export_node_tests.py` or `exporters.py` wrote, by name. */
export function listCases(root: string): OnnxCase[] {
  return readdirSync(root)
    .sort()
    .map((name) => {
      const folder = join(root, name);
      const settings = join(folder, "case.json");
      const {
        rtol = 1e-3,
        atol = 1e-7,
        ...more
      } = existsSync(settings) ? JSON.parse(readFileSync(settings, "utf8")) : {};
      const dataSets = readdirSync(folder).filter((entry) => entry.startsWith("test_data_set_"));
      return { ...more, name, folder, modelFile: join(folder, "model.onnx"), rtol, atol, dataSets };
    });
}

/** Why the protocol cannot carry a case; undefined when it can. */
export function notRepresentable(one: OnnxCase): string | undefined {
  const model = readModel(readFileSync(one.modelFile));
  for (const [side, values] of [
    ["input", requiredInputs(model)],
    ["output", model.graph?.output ?? []],
  ] as const) {
    for (const value of values) {
      const type = value.type?.value;
      if (type?.case !== "tensorType") return `${side} ${type?.case?.replace("Type", "") ?? "without a type"}`;
      if (elementTypeOfOnnx(type.value.elemType) === undefined) return `${side} of element type ${type.value.elemType}`;
    }
  }
  return undefined;
}

/** Reads a data set; inputs that have a default in the file are left to it. */
export function readDataSet(one: OnnxCase, dataSet: string): DataSet {
  const model = readModel(readFileSync(one.modelFile));
  const graph = model.graph;
  const defaults = new Set(graph?.initializer.map((initializer) => initializer.name));
  const read = (side: "input" | "output", names: readonly string[]) =>
    names.flatMap((name, index) => {
      const file = join(one.folder, dataSet, `${side}_${index}.pb`);
      return existsSync(file) && !(side === "input" && defaults.has(name)) ? [readTensorFile(file, name)] : [];
    });
  return {
    inputs: read("input", graph?.input.map((value) => value.name) ?? []),
    outputs: read("output", one.outputs ?? graph?.output.map((value) => value.name) ?? []),
  };
}

function requiredInputs(model: ModelProto) {
  const defaults = new Set(model.graph?.initializer.map((initializer) => initializer.name));
  return (model.graph?.input ?? []).filter((input) => !defaults.has(input.name));
}
