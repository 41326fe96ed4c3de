import { AimassError } from "@aimass/core";
import type { Tensor } from "onnxruntime-node";

/** Outputs and their shapes, for a sentence. */
export function shapes(outputs: ReadonlyMap<string, Tensor>): string {
  return [...outputs].map(([name, { type, dims }]) => `${name} ${type} [${dims.join(", ")}]`).join(", ");
}

export function isNumber(type: string): boolean {
  return type !== "string" && type !== "bool";
}

/** A model that the data do not fit. The remedy says what models must look like, unless given. */
export function unfit(message: string, { cause, remedy }: { cause?: unknown; remedy?: string } = {}): AimassError {
  return new AimassError("FAILED_PRECONDITION", message, {
    reason: "MODEL_UNFIT",
    remedy:
      remedy ??
      "Inputs are columns by their names or one FP32 [N, features]; outputs are one number a row, scores of the classes, or labels.",
    ...(cause !== undefined && { cause }),
  });
}
