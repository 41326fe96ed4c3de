import { BatchingChoice } from "@aimass/api/registry";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readManifest } from "./manifest.ts";

describe("a model.yaml", () => {
  it("gives description, labels, serving options and class names", () => {
    const manifest = readManifest(`
description: Tells fraud from honest payments.
labels: { team: risk, tier: 1 }
serving:
  max_batch_size: 16
  run_limit_ms: 5000
outputs:
  - name: probabilities
    labels: [honest, fraud]
  - name: score
inputs: anything people like
`);
    expect(manifest).toMatchObject({
      description: "Tells fraud from honest payments.",
      labels: { team: "risk", tier: "1" },
      serving: { maxBatchSize: 16, runLimitMs: 5000, instances: 0 },
    });
    expect([...manifest.classes]).toEqual([["probabilities", ["honest", "fraud"]]]);
  });

  it("switches batching off, or states why rows do not meet", () => {
    expect(readManifest("batching: off").serving).toMatchObject({
      batching: BatchingChoice.OFF,
      batchingStatement: "",
    });
    const stated = readManifest(
      'serving: { max_batch_size: 8 }\nbatching: { stated: "Rows are looked up one by one." }',
    );
    expect(stated.serving).toMatchObject({
      maxBatchSize: 8,
      batching: BatchingChoice.STATED,
      batchingStatement: "Rows are looked up one by one.",
    });
  });

  it("that is empty says nothing", () => {
    expect(readManifest("# nothing\n")).toMatchObject({ description: undefined, serving: undefined });
  });

  it.each([
    ["- a\n- b", "model.yaml is not a map"],
    ["labels: [a]", "labels is not a map"],
    ["labels: { a: { b: c } }", "labels.a is not text"],
    ["serving: { max_batch: 3 }", "serving.max_batch is not known"],
    ["serving: { priority_levels: 101 }", "serving.priority_levels is 101"],
    [
      "serving: { priority_levels: 2, default_priority_level: 3 }",
      "default_priority_level is 3, and there are 2 levels",
    ],
    ["serving: { instances: -1 }", "serving.instances is not a whole number"],
    ["serving: { instances: 1.5 }", "serving.instances is not a whole number"],
    ["batching: on", "batching is not known"],
    ["batching: {}", "batching is not known"],
    ["batching: { stated: ' ' }", "batching.stated is empty"],
    ["batching: { stated: yes it is, because: x }", "batching.because is not known"],
    ["columns: [a]", "columns is not a map"],
    ["columns: { a: { kind: float } }", "columns.a.kind is no kind of column"],
    ["columns: { a: { missing: NA } }", "columns.a.missing is not a list"],
    ["columns: { a: { true: [J] } }", "columns.a.true is not known"],
    ["outputs: { a: b }", "outputs is not a list"],
    ["outputs: [{ labels: [x] }]", "outputs[0].name is not text"],
    ["description: [", "cannot be read"],
    ["a: &x [1]\nb: [*x, *x]", "cannot be read"],
    ["a: 1\na: 2", "cannot be read"],
  ])("%j is refused: %s", (text, words) => {
    expect(() => readManifest(text)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => readManifest(text)).toThrow(words);
  });

  it("of any text is read or refused as the caller's mistake, never more", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        try {
          readManifest(text);
        } catch (error) {
          expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
        }
      }),
    );
  });
});
