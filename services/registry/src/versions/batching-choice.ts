import {
  BatchingBasis,
  BatchingChoice,
  BatchingSchema,
  type ServingOptions,
  type Signature,
} from "@aimass/api/registry";
import { create } from "@bufbuild/protobuf";
import { invalid } from "../names.ts";

/**
 * What an inspection found of batching, and what the owner says of it: the owner may switch it off, or state that rows do not meet where the inspection could not
 * tell. A proof needs no statement. Errors: INVALID_ARGUMENT for a statement about tensors that have no axis of rows.
 */
export function applyBatchingChoice(signature: Signature, serving: ServingOptions | undefined): void {
  switch (serving?.batching) {
    case BatchingChoice.OFF:
      signature.batchable = false;
      signature.batching = create(BatchingSchema, {
        basis: BatchingBasis.OFF,
        reason: "Its owner switched batching off.",
      });
      return;
    case BatchingChoice.STATED: {
      if (signature.batchable) return;
      assertRows(signature);
      const found = signature.batching?.reason ?? "";
      const reason = `Its owner states: ${sentence(serving.batchingStatement)} The inspection found otherwise: ${found}`;
      signature.batchable = true;
      signature.batching = create(BatchingSchema, { basis: BatchingBasis.STATED, reason });
      return;
    }
    default:
  }
}

function assertRows({ inputs, outputs }: Signature): void {
  for (const [what, specs] of [
    ["input", inputs],
    ["output", outputs],
  ] as const) {
    const fixed = specs.find(({ shape }) => (shape[0] ?? 0n) >= 0n);
    if (fixed === undefined && specs.length > 0) continue;
    const which =
      fixed === undefined ? `it has no ${what}` : `axis 0 of the ${what} ${JSON.stringify(fixed.name)} is fixed`;
    throw invalid(
      "serving.batching",
      `Batching is stated, but requests cannot share a run: ${which}.`,
      "Leave batching out, or export the model with a dynamic axis 0 on every input and output.",
    );
  }
}

function sentence(text: string): string {
  const trimmed = text.trim();
  return /[.!?…]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}
