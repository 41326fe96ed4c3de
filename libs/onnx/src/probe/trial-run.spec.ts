import { describe, expect, it } from "vitest";
import { GraphBuilder } from "../graph-builder.ts";
import { readModel } from "../model-file.ts";
import {
  batchMixingModel,
  quantisedLabelModel,
  quantisedTokensModel,
  splittingModel,
  tinyModel,
  trainingModel,
} from "../samples.ts";
import { declaredSignature } from "../signature.ts";
import { loadRuntime, quietSession } from "./runtime.ts";
import { seededNumbers } from "./trial-inputs.ts";
import { Trial } from "./trial-run.ts";

/** What trial runs alone say, as if the graph had not been looked at. */
async function evidence(model: Uint8Array) {
  const runtime = await loadRuntime();
  const session = await runtime.InferenceSession.create(model, quietSession);
  return new Trial(runtime, session, declaredSignature(readModel(model)).signature).run(true);
}

describe("trial runs", () => {
  it("begin with numbers that differ from seed to seed", () => {
    const first = Array.from({ length: 100 }, (_, seed) => seededNumbers(seed)());
    expect(Math.max(...first) - Math.min(...first)).toBeGreaterThan(0.9);
    expect(new Set(first.map((number) => Math.floor(number * 10))).size).toBe(10);
  });

  it("notice neighbours by themselves: in scores, labels of quantised models, ids and numbers of rows", async () => {
    for (const model of [batchMixingModel(), quantisedLabelModel(), quantisedTokensModel(), splittingModel()]) {
      expect((await evidence(model)).whyNotBatched).toMatch(/of a row differed|does not grow/);
    }
    expect((await evidence(tinyModel())).whyNotBatched).toBeUndefined();
  });

  it("notice that an answer changes with what was asked before, whether batches are compared or not", async () => {
    const runtime = await loadRuntime();
    for (const compares of [true, false]) {
      const changed = async (model: Uint8Array) => {
        const session = await runtime.InferenceSession.create(model, quietSession);
        const { signature } = declaredSignature(readModel(model));
        return (await new Trial(runtime, session, signature).run(compares)).changedOutput;
      };
      expect([await changed(trainingModel()), await changed(tinyModel())], `${compares}`).toEqual(["y", undefined]);
    }
  });

  it("take ids, texts and truths apart: rows of them are not all the same", async () => {
    for (const datatype of ["INT64", "BOOL", "BYTES"] as const) {
      const graph = new GraphBuilder("first");
      const x = graph.input("x", datatype, ["N"]);
      const zero = graph.constant("zero", "INT64", [1], BigInt64Array.of(0n));
      const rows = graph.node("Shape", [x]);
      const first = graph.node("Expand", [graph.node("Gather", [x, zero]), rows], {}, { outputs: ["y"] });
      graph.output(first, datatype, ["N"]);
      expect((await evidence(graph.toBytes())).whyNotBatched, datatype).toMatch(/differed/);
    }
  });
});
