import { SignatureSchema, VersionSchema } from "@aimass/api/registry";
import type { AimassError } from "@aimass/core";
import { bytesFromElements, type Tensor } from "@aimass/oip";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { planServing } from "./serving-plan.ts";
import { validateInputs } from "./validate-inputs.ts";

const version = (over: MessageInitShape<typeof VersionSchema> = {}) =>
  create(VersionSchema, {
    project: "default",
    model: "m",
    version: 3n,
    signature: create(SignatureSchema, {
      inputs: [
        { name: "x", datatype: "FP32", shape: [-1n, 2n] },
        { name: "words", datatype: "BYTES", shape: [-1n, -1n] },
        { name: "mask", datatype: "BOOL", shape: [-1n], optional: true },
      ],
      outputs: [{ name: "y", datatype: "FP32", shape: [-1n] }],
      batchable: true,
    }),
    ...over,
  });

const plan = planServing(version(), 8);
const x = (shape: number[] = [1, 2], over: Partial<Tensor> = {}): Tensor => ({
  name: "x",
  datatype: "FP32",
  shape,
  bytes: new Uint8Array(4 * shape.reduce((a, b) => a * b, 1)),
  ...over,
});
const words = (texts: string[], shape: number[] = [1, texts.length]): Tensor => ({
  name: "words",
  datatype: "BYTES",
  shape,
  bytes: bytesFromElements(texts),
});
const mask: Tensor = { name: "mask", datatype: "BOOL", shape: [1], bytes: new Uint8Array(1) };

function refusal(inputs: readonly Tensor[]): AimassError {
  try {
    validateInputs(plan, inputs);
  } catch (error) {
    return error as AimassError;
  }
  throw new Error("The inputs were taken.");
}

describe("inputs of a request", () => {
  it("are put into the signature's order, optional ones left out or not", () => {
    expect(validateInputs(plan, [words(["a"]), x()]).tensors.map((t) => t.name)).toEqual(["x", "words"]);
    expect(validateInputs(plan, [mask, words(["a"]), x()]).tensors.map((t) => t.name)).toEqual(["x", "words", "mask"]);
  });

  it("hold texts: what is no UTF-8, or holds U+0000, is refused before it can spoil a batch", () => {
    expect(refusal([x(), words(["fine", "cut\u0000short"])])).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "NOT_TEXT",
    });
    const latin1 = { ...words([""]), bytes: Uint8Array.of(1, 0, 0, 0, 0xe9) };
    expect(refusal([x(), latin1])).toMatchObject({ code: "INVALID_ARGUMENT", reason: "NOT_TEXT" });
  });

  it("share a run only with those of the same inner shape and the same optional inputs", () => {
    const key = (inputs: readonly Tensor[]) => validateInputs(plan, inputs).batchKey;
    expect(key([x([2, 2]), words(["a", "b"], [2, 1])])).toBe(key([x(), words(["c"])]));
    expect(key([x(), words(["a", "b"])])).not.toBe(key([x(), words(["c"])]));
    expect(key([x(), words(["a"]), mask])).not.toBe(key([x(), words(["a"])]));
    expect(key([x([0, 2]), words([], [0, 1])])).toBeUndefined();
    expect(key([x(), words([], [1, 0])])).toBeUndefined();
  });

  it.each([
    ["UNKNOWN_INPUT", "inputs[1].name", [x(), { ...x(), name: "z" }]],
    ["DUPLICATE_INPUT", "inputs[1].name", [x(), x()]],
    ["MISSING_INPUT", "inputs", [x()]],
    ["WRONG_DATATYPE", "inputs[0].datatype", [x([1, 2], { datatype: "INT32" }), words(["a"])]],
    ["WRONG_RANK", "inputs[0].shape", [x([2]), words(["a"])]],
    ["WRONG_SHAPE", "inputs[0].shape[1]", [x([1, 3]), words(["a"])]],
    ["WRONG_LENGTH", "inputs[0]", [x([1, 2], { bytes: new Uint8Array(7) }), words(["a"])]],
    ["WRONG_LENGTH", "inputs[1]", [x(), words(["a", "b"], [1, 3])]],
    ["WRONG_BATCH", "inputs", [x([2, 2]), words(["a"])]],
  ] as const)("are refused with %s at %s", (reason, field, inputs) => {
    expect(refusal(inputs)).toMatchObject({ code: "INVALID_ARGUMENT", reason, field });
    expect(refusal(inputs).remedy).toMatch(/\.$/);
  });
});

describe("a serving plan", () => {
  it("fills in what the version leaves open", () => {
    expect(plan).toMatchObject({
      maxBatchSize: 32,
      batchDelayMs: 0,
      queueLimit: 1024,
      runLimitMs: 30_000,
      threads: 4,
      instances: 1,
      uniform: false,
    });
    expect(planServing(version(), 2).threads).toBe(2);
  });

  it("takes what the version says", () => {
    const serving = {
      maxBatchSize: 8,
      batchDelayUs: 500,
      queueLimit: 5,
      runLimitMs: 100,
      intraOpThreads: 1,
      instances: 2,
    };
    expect(planServing(version({ serving }), 8)).toMatchObject({
      maxBatchSize: 8,
      batchDelayMs: 0.5,
      queueLimit: 5,
      runLimitMs: 100,
      threads: 1,
      instances: 2,
    });
  });

  it("has the levels of priority that the version says, the last for who chooses none", () => {
    const levelsOf = (serving: { priorityLevels?: number; defaultPriorityLevel?: number }) => {
      const { priorityLevels, defaultPriority } = planServing(version({ serving }), 1);
      return [priorityLevels, defaultPriority];
    };
    expect(levelsOf({})).toEqual([0, 0]);
    expect(levelsOf({ priorityLevels: 5 })).toEqual([5, 5]);
    expect(levelsOf({ priorityLevels: 5, defaultPriorityLevel: 3 })).toEqual([5, 3]);
  });

  it("never batches a model that is not batchable", () => {
    const fixed = planServing(
      version({ signature: { inputs: [{ name: "x", datatype: "FP32", shape: [2n] }] }, serving: { maxBatchSize: 8 } }),
      8,
    );
    expect(fixed.maxBatchSize).toBe(1);
    expect(validateInputs(fixed, [x([2])])).toMatchObject({ samples: 1, batchKey: undefined });
  });

  it("is refused without a signature, and for a type the protocol does not carry", () => {
    expect(() => planServing(create(VersionSchema, {}), 1)).toThrow("no signature");
    const signature = { inputs: [{ name: "x", datatype: "COMPLEX64" }] };
    expect(() => planServing(version({ signature }), 1)).toThrow("COMPLEX64");
  });
});
