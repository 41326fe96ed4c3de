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

  it.each([
    ["batch: on", "In model.yaml, batch is not known.", "Did you mean batching?"],
    ["bathcing: off", "bathcing is not known", "Did you mean batching?"],
    ['maxBatchSize: "x"', "maxBatchSize is not known", "Did you mean serving.max_batch_size?"],
    ["maxBatchSize: 1e9", "maxBatchSize is not known", "Did you mean serving.max_batch_size?"],
    ["toString: 1", "toString is not known", "Known are description, labels, serving"],
    ["serving: { maxBatchSize: 8 }", "serving.maxBatchSize is not known", "Did you mean max_batch_size?"],
    ["serving: { constructor: 8 }", "serving.constructor is not known", "Known are max_batch_size"],
    ['serving: { max_batch_size: "x" }', 'is not a whole number of 0 to 2147483647: it is "x"', "0 means the default"],
    ["serving: { max_batch_size: 1e10 }", "of 0 to 2147483647: it is 10000000000", "0 means the default"],
    ["batching: on", 'batching is not known: it is "on"', '"batching: off"'],
    ["outputs: [{ name: y, label: [a] }]", "outputs[0].label is not known", "Did you mean labels?"],
    ["columns: { a: { units: kg } }", "columns.a.units is not known", "Did you mean unit?"],
  ])("%j is refused with what was meant", (text, words, remedy) => {
    const said = { code: "INVALID_ARGUMENT", message: expect.stringContaining(words) };
    expect(() => readManifest(text)).toThrow(
      expect.objectContaining({ ...said, remedy: expect.stringContaining(remedy) }),
    );
  });

  it("keeps keys for people", () => {
    const text = "author: Ada\nlicense: MIT\nx-ticket: 12\nbatching: off\n";
    expect(readManifest(text).serving).toMatchObject({ batching: BatchingChoice.OFF });
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
