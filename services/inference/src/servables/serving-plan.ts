import { BatchingBasis, BatchingChoice, type Version } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import { type CellMeaning, cellsOf, type Datatype, isDatatype } from "@aimass/oip";
import type { VersionName } from "./version-name.ts";

/** One tensor of a model as serving needs it. */
export interface TensorPlan {
  readonly name: string;
  readonly datatype: Datatype;
  /** -1 for a dynamic axis. */
  readonly shape: readonly number[];
  readonly optional: boolean;
  /** Class labels of an output of scores, if the bundle has them. */
  readonly labels: readonly string[];
  /** What the cells of the column mean that an input stands for; undefined when it stands for none. */
  readonly cells: CellMeaning | undefined;
}

/** Whether requests share runs. Of versions inspected before reasons were kept, the replica that loads them finds out: until then each request runs alone. */
export interface BatchingPlan {
  readonly kind: "shared" | "alone" | "found out on load";
  readonly reason: string;
}

/** How a version is served: its signature and options with every default filled in. */
export interface ServingPlan {
  readonly name: VersionName;
  readonly inputs: readonly TensorPlan[];
  readonly outputs: readonly TensorPlan[];
  /** The graph that is loaded is not the file's own, but derived of it as its signature says. */
  readonly isAdapted: boolean;
  /** Axis 0 of every tensor carries the batch. */
  readonly batchable: boolean;
  /** Axis 0 of every output is the rows of the request: proven, or by the names that the graph itself gives its axes. */
  readonly isByRow: boolean;
  /** Why requests share runs, or do not. */
  readonly batching: BatchingPlan;
  /** Rows a batch may have; 1 when not batchable. */
  readonly maxBatchSize: number;
  readonly batchDelayMs: number;
  readonly queueLimit: number;
  /** Levels of priority, 1 being the first to be served; 0: none. */
  readonly priorityLevels: number;
  /** The level of requests that choose none; 0 where there are none. */
  readonly defaultPriority: number;
  readonly runLimitMs: number;
  readonly threads: number;
  readonly instances: number;
  /** Every input is required and fixed but for the batch axis: all valid requests may share a run. */
  readonly uniform: boolean;
  /** Bytes of all files of the bundle. */
  readonly fileBytes: number;
  /** What the trial run's session took; 0 when unknown. */
  readonly probedMemoryBytes: number;
}

/**
 * The plan of a version on a replica with `cpus` CPUs. Throws FAILED_PRECONDITION when the version has no signature or a data type this server does not know.
 */
export function planServing(version: Version, cpus: number): ServingPlan {
  const name = { project: version.project, model: version.model, version: version.version };
  const { signature, serving } = version;
  if (signature === undefined) {
    throw new AimassError(
      "FAILED_PRECONDITION",
      "The version has no signature; the registry did not finish inspecting it.",
    );
  }
  const inputs = signature.inputs.map(planTensor);
  const outputs = signature.outputs.map(planTensor);
  const batchable = signature.batchable && inputs.length > 0 && serving?.batching !== BatchingChoice.OFF;
  return {
    name,
    inputs,
    outputs,
    isAdapted: signature.adaptations.length > 0,
    batchable,
    isByRow: batchable || sharesAxis0([...signature.inputs, ...signature.outputs]),
    batching: planBatching(version, batchable),
    maxBatchSize: batchable ? positive(serving?.maxBatchSize, 32) : 1,
    batchDelayMs: positive(serving?.batchDelayUs, 0) / 1000,
    queueLimit: positive(serving?.queueLimit, 1024),
    priorityLevels: positive(serving?.priorityLevels, 0),
    defaultPriority: positive(serving?.defaultPriorityLevel, positive(serving?.priorityLevels, 0)),
    runLimitMs: positive(serving?.runLimitMs, 30_000),
    threads: positive(serving?.intraOpThreads, Math.max(1, Math.min(cpus, 4))),
    instances: positive(serving?.instances, 1),
    uniform: inputs.every((input) => !input.optional && input.shape.slice(1).every((n) => n >= 0)),
    fileBytes: version.files.reduce((sum, file) => sum + Number(file.sizeBytes), 0),
    probedMemoryBytes: Number(signature.memoryBytes),
  };
}

function planBatching({ signature, serving }: Version, batchable: boolean): BatchingPlan {
  const { basis, reason } = signature?.batching ?? { basis: BatchingBasis.UNSPECIFIED, reason: "" };
  if (serving?.batching === BatchingChoice.OFF)
    return { kind: "alone", reason: reason || "Its owner switched batching off." };
  if (!batchable) return { kind: "alone", reason: reason || "Rows met in the trial runs of its inspection." };
  if (basis === BatchingBasis.PROVEN || basis === BatchingBasis.STATED) return { kind: "shared", reason };
  if (basis !== BatchingBasis.UNSPECIFIED) return { kind: "alone", reason };
  if (serving?.batching === BatchingChoice.STATED)
    return { kind: "shared", reason: `Its owner states: ${serving.batchingStatement}` };
  return { kind: "found out on load", reason: "It was inspected before graphs were followed." };
}

function planTensor(spec: NonNullable<Version["signature"]>["inputs"][number]): TensorPlan {
  if (!isDatatype(spec.datatype)) {
    throw new AimassError(
      "FAILED_PRECONDITION",
      `The tensor "${spec.name}" is ${spec.datatype}, which the protocol does not carry.`,
    );
  }
  const { name, datatype, optional, labels } = spec;
  return { name, datatype, shape: spec.shape.map(Number), optional, labels, cells: cellsOf(spec.column) };
}

/** Whether the graph gives axis 0 of all required tensors one name. */
function sharesAxis0(specs: NonNullable<Version["signature"]>["inputs"]): boolean {
  const names = new Set(specs.filter(({ optional }) => !optional).map(({ axisNames }) => axisNames[0] ?? ""));
  return names.size === 1 && !names.has("");
}

function positive(value: number | undefined, fallback: number): number {
  return value !== undefined && value > 0 ? value : fallback;
}
