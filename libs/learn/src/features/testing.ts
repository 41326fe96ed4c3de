/** For specs: fitted features run through ONNX Runtime on the same rows, beside `transform`. */
import { GraphBuilder, loadRuntime, type Runtime } from "@aimass/onnx";
import type { Matrix } from "../matrix.ts";
import { type ColumnReading, momentReader } from "./column-reading.ts";
import type { Batch, ColumnData, RgbImage } from "./columns.ts";
import { featureGraphOptions } from "./feature-graph.ts";
import type { Features } from "./features.ts";

type Session = Awaited<ReturnType<Runtime["InferenceSession"]["create"]>>;
type Tensor = InstanceType<Runtime["Tensor"]>;

const runtime = await loadRuntime();

/** A batch of columns given by name. */
export function batchOf(columns: Readonly<Record<string, ColumnData>>, firstRow = 0): Batch {
  const rows = Object.values(columns)[0]?.values.length ?? 0;
  return { rows, columns: new Map(Object.entries(columns)), firstRow };
}

export function numbers(values: readonly (number | undefined)[]): ColumnData {
  return { type: "number", values: Float64Array.from(values, (value) => value ?? Number.NaN) };
}

export function strings(values: readonly (string | undefined)[]): ColumnData {
  return { type: "string", values };
}

export function images(values: readonly (RgbImage | undefined)[]): ColumnData {
  return { type: "image", values };
}

/** The features' graph, loaded. */
export class ServedFeatures {
  private readonly session: Session;
  private readonly features: Features;

  constructor(session: Session, features: Features) {
    this.session = session;
    this.features = features;
  }

  /** `missing`: words that the graph is to take for missing. */
  static async load(features: Features, missing: readonly string[] = []): Promise<ServedFeatures> {
    const builder = new GraphBuilder("features", featureGraphOptions);
    const { output } = features.addToGraph(builder, missing);
    builder.output(builder.node("Identity", [output], {}, { outputs: ["features"] }), "FP32", ["N", features.cols]);
    const options = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 4 as const };
    return new ServedFeatures(await runtime.InferenceSession.create(builder.toBytes(), options), features);
  }

  /** The graph's output, row-major. Images of a batch must have one size. */
  async run(batch: Batch): Promise<Float32Array> {
    const feeds: Record<string, Tensor> = {};
    for (const { name, reading } of this.features.columns) {
      const column = batch.columns.get(name) as ColumnData;
      feeds[name] = reading === undefined ? tensorOf(column) : wideTensorOf(column, reading);
    }
    const { features } = await this.session.run(feeds);
    return (features as Tensor).data as Float32Array;
  }
}

function wideTensorOf(column: ColumnData, reading: ColumnReading): Tensor {
  const values =
    column.type === "string" && reading.kind !== "shifted"
      ? Float64Array.from(column.values, momentReader(reading.kind))
      : Float64Array.from(column.values as Float64Array);
  return new runtime.Tensor("float64", values, [values.length]);
}

function tensorOf(column: ColumnData): Tensor {
  const { Tensor } = runtime;
  const rows = column.values.length;
  if (column.type === "string")
    return new Tensor(
      "string",
      Array.from(column.values, (text) => text ?? ""),
      [rows],
    );
  if (column.type !== "image")
    return new Tensor(
      "float32",
      Float32Array.from(column.values, (value) => asNumber(value, column.type)),
      [rows],
    );
  const [{ width, height }] = column.values as [RgbImage];
  const bytes = Buffer.concat(column.values.map((image) => (image as RgbImage).rgb));
  return new Tensor("uint8", new Uint8Array(bytes), [rows, height, width, 3]);
}

function asNumber(value: number, type: "number" | "boolean"): number {
  return type === "boolean" && value > 1 ? Number.NaN : value;
}

/** All elements of a matrix, row-major. */
export function elementsOf(matrix: Matrix): Float32Array {
  if (matrix.kind === "dense") return matrix.data;
  const data = new Float32Array(matrix.rows * matrix.cols);
  for (let row = 0; row < matrix.rows; row++) {
    for (let i = matrix.offsets[row] as number; i < (matrix.offsets[row + 1] as number); i++) {
      data[row * matrix.cols + (matrix.columns[i] as number)] = matrix.values[i] as number;
    }
  }
  return data;
}

/** Where training and serving differ by more than `tolerance` (relative above 1), as sentences; empty where they agree. */
export async function skew(features: Features, batch: Batch, tolerance = 1e-6): Promise<string[]> {
  const served = await (await ServedFeatures.load(features)).run(batch);
  return differences(features, elementsOf(features.transform(batch)), served, tolerance);
}

export function differences(
  features: Features,
  trained: Float32Array,
  served: Float32Array,
  tolerance = 1e-6,
): string[] {
  if (trained.length !== served.length) return [`${trained.length} elements in training, ${served.length} in serving`];
  return Array.from(trained).flatMap((value, i) => {
    const other = served[i] as number;
    if (Object.is(value, other) || Math.abs(value - other) <= tolerance * Math.max(1, Math.abs(value))) return [];
    const [row, column] = [Math.floor(i / features.cols), i % features.cols];
    return [`row ${row}, ${features.featureNames[column]}: ${value} in training, ${other} in serving`];
  });
}
