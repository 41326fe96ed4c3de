/** Graphs for the specs of this folder, in few words. */
import type { Datatype } from "../../element-types.ts";
import { type Attributes, type Axis, GraphBuilder } from "../../graph-builder.ts";
import { readModel } from "../../model-file.ts";
import { seededNumbers } from "../../probe/trial-inputs.ts";
import { analyseRows, type RowVerdict } from "../row-analysis.ts";

const microsoft = new Set([
  "DynamicQuantizeMatMul",
  "FusedMatMul",
  "Tokenizer",
  "QuickGelu",
  "SkipLayerNormalization",
  "Attention",
  "MatMulIntegerToFloat",
]);
const machineLearning = new Set([
  "ArrayFeatureExtractor",
  "FeatureVectorizer",
  "LabelEncoder",
  "LinearRegressor",
  "Normalizer",
  "OneHotEncoder",
  "Scaler",
  "TreeEnsembleRegressor",
]);

/** A graph in the making whose operators find their domain by themselves. */
export class Sketch {
  readonly builder: GraphBuilder;
  private readonly random = seededNumbers(3);

  constructor(opset = 17) {
    this.builder = new GraphBuilder("sketch", {
      opset,
      irVersion: 9,
      domains: { "ai.onnx.ml": 3, "com.microsoft": 1 },
    });
  }

  x(shape: readonly Axis[] = ["N", 4], datatype: Datatype = "FP32", name = "x"): string {
    return this.builder.input(name, datatype, shape);
  }

  weights(...shape: number[]): string {
    const length = shape.reduce((product, size) => product * size, 1);
    const data = Float32Array.from({ length }, () => this.random() - 0.5);
    return this.builder.constant(this.builder.freshName("w"), "FP32", shape, data);
  }

  ints(...values: number[]): string {
    return this.builder.constant(
      this.builder.freshName("i"),
      "INT64",
      [values.length],
      BigInt64Array.from(values, BigInt),
    );
  }

  int(value: number): string {
    return this.builder.constant(this.builder.freshName("i"), "INT64", [], BigInt64Array.of(BigInt(value)));
  }

  scalar(value: number): string {
    return this.builder.constant(this.builder.freshName("f"), "FP32", [], Float32Array.of(value));
  }

  do(operator: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.many(operator, inputs, 1, attributes)[0] as string;
  }

  many(operator: string, inputs: readonly string[], count: number, attributes: Attributes = {}): string[] {
    const outputs = Array.from({ length: count }, () => this.builder.freshName("v"));
    const domain = microsoft.has(operator) ? "com.microsoft" : machineLearning.has(operator) ? "ai.onnx.ml" : "";
    this.builder.node(operator, inputs, attributes, { domain, outputs });
    return outputs;
  }

  bytes(value: string, datatype: Datatype = "FP32", shape: readonly Axis[] = ["N", "M"]): Uint8Array {
    const y = this.builder.node("Identity", [value], {}, { outputs: ["y"] });
    this.builder.output(y, datatype, shape);
    return this.builder.toBytes();
  }

  verdict(value: string): RowVerdict {
    return analyseRows(readModel(this.bytes(value)));
  }
}
