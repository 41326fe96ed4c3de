import { AimassError } from "@aimass/core";
import { assertTextElements, countBytesElements, elementSize, formatShape, quoted, type Tensor } from "@aimass/oip";
import type { ServingPlan, TensorPlan } from "./serving-plan.ts";

/** Inputs that fit the signature, in its order. */
export interface ValidInputs {
  readonly tensors: readonly Tensor[];
  /** Rows on the batch axis; 1 for a model without one. */
  readonly samples: number;
  /** Requests with the same key may share a run; undefined runs alone. */
  readonly batchKey: string | undefined;
}

/** Checks a request's inputs against the plan: names, types, ranks, axes, byte lengths, the batch axis. Throws INVALID_ARGUMENT with what would be right. */
export function validateInputs(plan: ServingPlan, given: readonly Tensor[]): ValidInputs {
  const tensors = inSignatureOrder(plan, given);
  const samples = plan.batchable ? batchRows(tensors) : 1;
  return { tensors, samples, batchKey: plan.batchable && !hasEmptyAxis(tensors) ? batchKey(plan, tensors) : undefined };
}

/** The proof that rows stay apart takes every axis for one of 1 or more. */
function hasEmptyAxis(tensors: readonly Tensor[]): boolean {
  return tensors.some(({ shape }) => shape.includes(0));
}

/** "x FP32[-1,784], mask BOOL[-1] (optional)": what a model takes, for messages. */
export function describeTensors(tensors: readonly TensorPlan[]): string {
  return (
    tensors.map((t) => `${t.name} ${t.datatype}${formatShape(t.shape)}${t.optional ? " (optional)" : ""}`).join(", ") ||
    "nothing"
  );
}

function inSignatureOrder(plan: ServingPlan, given: readonly Tensor[]): Tensor[] {
  const { inputs } = plan;
  const only = inputs[0];
  const first = given[0];
  if (inputs.length === 1 && given.length === 1 && only !== undefined && first?.name === only.name) {
    checkTensor(only, first, 0);
    return [first];
  }
  const byName = new Map<string, Tensor>();
  given.forEach((tensor, i) => {
    const spec = inputs.find((input) => input.name === tensor.name);
    if (spec === undefined) throw unknownInput(plan, tensor.name, i);
    if (byName.has(tensor.name))
      throw invalid(
        "DUPLICATE_INPUT",
        `inputs[${i}].name`,
        `The input ${quoted(tensor.name)} is given twice.`,
        "Give each input once.",
      );
    checkTensor(spec, tensor, i);
    byName.set(tensor.name, tensor);
  });
  const missing = inputs.filter((input) => !input.optional && !byName.has(input.name));
  if (missing.length > 0) {
    const names = missing.map((m) => JSON.stringify(m.name)).join(", ");
    throw invalid(
      "MISSING_INPUT",
      "inputs",
      missing.length === 1 ? `The input ${names} is missing.` : `The inputs ${names} are missing.`,
      `The model takes ${describeTensors(inputs)}.`,
    );
  }
  return inputs.flatMap((input) => byName.get(input.name) ?? []);
}

function unknownInput(plan: ServingPlan, name: string, index: number): AimassError {
  const message = `The model has no input ${quoted(name)}.`;
  return invalid("UNKNOWN_INPUT", `inputs[${index}].name`, message, `It takes ${describeTensors(plan.inputs)}.`);
}

function checkTensor(spec: TensorPlan, tensor: Tensor, index: number): void {
  const at = `inputs[${index}]`;
  const { datatype, shape, bytes } = tensor;
  const named = `The input ${JSON.stringify(spec.name)}`;
  if (datatype !== spec.datatype) {
    throw invalid(
      "WRONG_DATATYPE",
      `${at}.datatype`,
      `${named} is ${datatype}, but the model takes ${spec.datatype}.`,
      `Send it as ${spec.datatype}.`,
    );
  }
  if (shape.length !== spec.shape.length) {
    const message = `${named} has shape ${formatShape(shape)} with ${shape.length} axes, but the model takes ${formatShape(spec.shape)}.`;
    throw invalid("WRONG_RANK", `${at}.shape`, message, `Send ${spec.shape.length} axes; -1 may be any size.`);
  }
  let count = 1;
  for (let axis = 0; axis < shape.length; axis += 1) {
    const size = shape[axis] as number;
    const wanted = spec.shape[axis] as number;
    if (wanted >= 0 && wanted !== size) {
      const message = `${named} has shape ${formatShape(shape)}, but the model takes ${formatShape(spec.shape)}.`;
      throw invalid("WRONG_SHAPE", `${at}.shape[${axis}]`, message, `Axis ${axis} must be ${wanted}.`);
    }
    count *= size;
  }
  checkLength(spec, bytes, count, at);
}

function checkLength(spec: TensorPlan, bytes: Uint8Array, count: number, at: string): void {
  const size = elementSize(spec.datatype);
  if (size === 0) {
    const held = countBytesElements(bytes, spec.name);
    if (held !== count) {
      const message = `The input ${JSON.stringify(spec.name)} holds ${held} strings, but its shape says ${count}.`;
      throw invalid("WRONG_LENGTH", at, message, "Make shape and data agree.");
    }
    assertTextElements(bytes, spec.name);
    return;
  }
  if (bytes.byteLength === count * size) return;
  const message = `The input ${JSON.stringify(spec.name)} holds ${bytes.byteLength} bytes, but its shape and type say ${count * size}.`;
  throw invalid("WRONG_LENGTH", at, message, `${count} elements of ${spec.datatype} take ${size} bytes each.`);
}

function batchRows(tensors: readonly Tensor[]): number {
  const first = tensors[0] as Tensor;
  const rows = first.shape[0] ?? 1;
  for (const tensor of tensors) {
    if (tensor.shape[0] === rows) continue;
    const message = `The inputs disagree on the batch: ${JSON.stringify(first.name)} has ${rows} rows, ${JSON.stringify(tensor.name)} has ${tensor.shape[0]}.`;
    throw invalid("WRONG_BATCH", "inputs", message, "Axis 0 of every input is the batch and must be the same.");
  }
  return rows;
}

/** What must be equal for two requests to share a run: the inputs given and their shapes but for the batch axis. */
function batchKey(plan: ServingPlan, tensors: readonly Tensor[]): string {
  return plan.uniform ? "" : tensors.map((t) => `${t.name}:${t.shape.slice(1).join(",")}`).join(";");
}

function invalid(reason: string, field: string, message: string, remedy: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, { reason, field, remedy });
}
