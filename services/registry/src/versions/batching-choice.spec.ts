import {
  BatchingBasis,
  BatchingChoice,
  ServingOptionsSchema,
  type Signature,
  SignatureSchema,
} from "@aimass/api/registry";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { applyBatchingChoice } from "./batching-choice.ts";

const found = (basis: BatchingBasis, rows = -1n): Signature =>
  create(SignatureSchema, {
    inputs: [{ name: "x", shape: [-1n, 4n] }],
    outputs: [{ name: "y", shape: [rows, 4n] }],
    batchable: basis === BatchingBasis.PROVEN,
    batching: { basis, reason: "The node couples rows." },
  });

function chosen(signature: Signature, batching: BatchingChoice, batchingStatement = ""): Signature {
  applyBatchingChoice(signature, create(ServingOptionsSchema, { batching, batchingStatement }));
  return signature;
}

describe("what an owner says of batching", () => {
  it("switches off what was proven, and says nothing where nothing was said", () => {
    expect(chosen(found(BatchingBasis.PROVEN), BatchingChoice.OFF)).toMatchObject({
      batchable: false,
      batching: { basis: BatchingBasis.OFF, reason: "Its owner switched batching off." },
    });
    const silent = chosen(found(BatchingBasis.GRAPH), BatchingChoice.UNSPECIFIED);
    expect(silent).toMatchObject({ batchable: false, batching: { basis: BatchingBasis.GRAPH } });
  });

  it("batches against the graph, with the statement and what was found for all to see", () => {
    expect(chosen(found(BatchingBasis.TRIAL), BatchingChoice.STATED, "Only rounding differs")).toMatchObject({
      batchable: true,
      batching: {
        basis: BatchingBasis.STATED,
        reason: "Its owner states: Only rounding differs. The inspection found otherwise: The node couples rows.",
      },
    });
    expect(chosen(found(BatchingBasis.PROVEN), BatchingChoice.STATED, "Sure.").batching?.basis).toBe(
      BatchingBasis.PROVEN,
    );
  });

  it("cannot be that rows share a run where there is no axis of rows", () => {
    expect(() => chosen(found(BatchingBasis.GRAPH, 1n), BatchingChoice.STATED, "Sure.")).toThrow(
      /axis 0 of the output "y" is fixed/,
    );
  });
});
