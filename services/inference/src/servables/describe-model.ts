import {
  DataType,
  type ModelConfig,
  ModelConfigSchema,
  ModelInstanceGroup_Kind,
  type ModelMetadataResponse,
  ModelMetadataResponseSchema,
  type ModelStatistics,
  ModelStatisticsSchema,
} from "@aimass/api/inference";
import type { Datatype } from "@aimass/oip";
import { create } from "@bufbuild/protobuf";
import type { Servable } from "./servable.ts";
import type { TensorPlan } from "./serving-plan.ts";
import type { Tally } from "./version-statistics.ts";

const dataTypes: Record<Datatype, DataType> = {
  BOOL: DataType.TYPE_BOOL,
  UINT8: DataType.TYPE_UINT8,
  UINT16: DataType.TYPE_UINT16,
  UINT32: DataType.TYPE_UINT32,
  UINT64: DataType.TYPE_UINT64,
  INT8: DataType.TYPE_INT8,
  INT16: DataType.TYPE_INT16,
  INT32: DataType.TYPE_INT32,
  INT64: DataType.TYPE_INT64,
  FP16: DataType.TYPE_FP16,
  FP32: DataType.TYPE_FP32,
  FP64: DataType.TYPE_FP64,
  BYTES: DataType.TYPE_STRING,
  BF16: DataType.TYPE_BF16,
};

const platform = "onnxruntime_onnx";

/** ModelMetadata: shapes with the batch axis. `name` is the model's name as the caller wrote it; `versions` those ready here. */
export function modelMetadata(
  servable: Servable,
  name: string,
  versions: readonly string[],
  device: string,
): ModelMetadataResponse {
  const tensor = ({ name, datatype, shape }: TensorPlan) => ({ name, datatype, shape: shape.map(BigInt) });
  return create(ModelMetadataResponseSchema, {
    name,
    versions: [...versions],
    platform,
    inputs: servable.plan.inputs.map(tensor),
    outputs: servable.plan.outputs.map(tensor),
    properties: {
      device,
      version: String(servable.plan.name.version),
      batching: batchingSentence(servable),
      ...batchProperties(servable),
    },
  });
}

/** Where batches are smaller here than the version asks for, how large they are and why. */
function batchProperties({ facts, plan }: Servable): Record<string, string> {
  if (!plan.batchable || facts === undefined || facts.batchLimit === "") return {};
  return { max_batch_size: String(facts.maxBatchSize), batch_limit: facts.batchLimit };
}

/**
 * ModelConfig as Triton has it: for a batchable model the dims leave the batch axis out, and max_batch_size is above 0. An input of the batch axis alone would be
 * left without dims, which Triton's tools cannot give a shape: such a model is told with all its axes and max_batch_size 0. Its requests share runs all the same.
 */
export function modelConfig(servable: Servable, name: string, kind: "cpu" | "gpu"): ModelConfig {
  const { plan } = servable;
  const isBatched = plan.batchable && plan.inputs.every(({ shape }) => shape.length > 1);
  const dims = (shape: readonly number[]) => (isBatched ? shape.slice(1) : shape).map(BigInt);
  return create(ModelConfigSchema, {
    name,
    platform,
    backend: "onnxruntime",
    defaultModelFilename: "model.onnx",
    maxBatchSize: isBatched ? servable.maxBatchSize : 0,
    versionPolicy: { policyChoice: { case: "specific", value: { versions: [plan.name.version] } } },
    input: plan.inputs.map((i) => ({
      name: i.name,
      dataType: dataTypes[i.datatype],
      dims: dims(i.shape),
      optional: i.optional,
    })),
    output: plan.outputs.map((o) => ({ name: o.name, dataType: dataTypes[o.datatype], dims: dims(o.shape) })),
    instanceGroup: [
      {
        name: `${name}_0`,
        count: plan.instances,
        kind: kind === "gpu" ? ModelInstanceGroup_Kind.GPU : ModelInstanceGroup_Kind.CPU,
      },
    ],
    ...(isBatched && {
      dynamicBatching: {
        maxQueueDelayMicroseconds: BigInt(Math.round(plan.batchDelayMs * 1000)),
        priorityLevels: BigInt(plan.priorityLevels),
        defaultPriorityLevel: BigInt(plan.defaultPriority),
      },
    }),
    modelTransactionPolicy: { decoupled: false },
    parameters: { batching: { stringValue: batchingSentence(servable) } },
  });
}

/** Whether requests share runs, and why. */
function batchingSentence({ batching: { shared, reason } }: Servable): string {
  return `${shared ? "Requests share runs." : "Each request runs alone."}${reason === "" ? "" : ` ${reason}`}`;
}

/** Counts and durations of a version, in the protocol's words. */
export function modelStatistics(servable: Servable, name: string, kind: "cpu" | "gpu"): ModelStatistics {
  const { statistics: s, memoryBytes, plan } = servable;
  const none = { count: 0n, ns: 0n };
  return create(ModelStatisticsSchema, {
    name,
    version: String(plan.name.version),
    lastInference: BigInt(Math.round(s.lastInference)),
    inferenceCount: BigInt(s.inferences),
    executionCount: BigInt(s.executions),
    inferenceStats: {
      success: duration(s.success),
      fail: duration(s.fail),
      queue: duration(s.queue),
      computeInput: duration(s.input),
      computeInfer: duration(s.infer),
      computeOutput: duration(s.output),
      cacheHit: none,
      cacheMiss: none,
    },
    batchStats: [...s.batches].map(([size, batch]) => ({
      batchSize: BigInt(size),
      computeInput: duration(batch.input),
      computeInfer: duration(batch.infer),
      computeOutput: duration(batch.output),
    })),
    memoryUsage: [{ type: kind.toUpperCase(), id: 0n, byteSize: BigInt(Math.round(memoryBytes)) }],
  });
}

function duration({ count, ns }: Tally): { count: bigint; ns: bigint } {
  return { count: BigInt(count), ns: BigInt(Math.round(ns)) };
}
