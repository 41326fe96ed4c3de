import { AimassError } from "@aimass/core";
import type { Tensor } from "onnxruntime-node";

/** Outputs and their shapes, for a sentence. */
export function shapes(outputs: ReadonlyMap<string, Tensor>): string {
  return [...outputs].map(([name, { type, dims }]) => `${name} ${type} [${dims.join(", ")}]`).join(", ");
}

export function isNumber(type: string): boolean {
  return type !== "string" && type !== "bool";
}

export function unfit(message: string, cause?: unknown): AimassError {
  return new AimassError("FAILED_PRECONDITION", message, {
    reason: "MODEL_UNFIT",
    remedy:
      "Inputs are columns by their names or one FP32 [N, features]; outputs are one number a row, scores of the classes, or labels.",
    ...(cause !== undefined && { cause }),
  });
}
