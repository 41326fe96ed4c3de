import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TypeProto, TypeProtoSchema, type ValueInfoProto } from "@aimass/api/onnx";
import { BatchingBasis } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { elementTypes, GraphBuilder, type ProbeOptions, probeModel } from "../index.ts";
import {
  batchMixingModel,
  convModel,
  crashModel,
  echoModel,
  externalDataModel,
  multiInputModel,
  quantisedLabelModel,
  quantisedTokensModel,
  slowModel,
  splittingModel,
  textLengthModel,
  textModel,
  tinyModel,
  trainingModel,
} from "../samples.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "aimass-probe-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function bundle(model: Uint8Array, files: ReadonlyMap<string, Uint8Array> = new Map()): Promise<string> {
  const directory = await mkdtemp(join(root, "bundle-"));
  for (const [path, bytes] of [["model.onnx", model] as const, ...files]) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), bytes);
  }
  return directory;
}

async function probe(model: Uint8Array, options: Partial<ProbeOptions> = {}) {
  return probeModel({ directory: await bundle(model), timeoutMs: 60_000, ...options });
}

async function refusal(pending: Promise<unknown>): Promise<AimassError> {
  const outcome = await pending.catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(AimassError);
  return outcome as AimassError;
}

const shapes = (specs: readonly { name: string; datatype: string; shape: readonly bigint[] }[]) =>
  specs.map((spec) => `${spec.name} ${spec.datatype}[${spec.shape}]`);

describe("probing a model that works", () => {
  it("finds its signature, that it can be batched and what it takes", async () => {
    const { signature, memoryBytes, ran, notes } = await probe(multiInputModel());
    expect(shapes(signature.inputs)).toEqual(["a FP32[-1,2]", "b FP32[-1,3]"]);
    expect(shapes(signature.outputs)).toEqual(["total FP32[-1,1]", "joined FP32[-1,5]"]);
    expect(signature.inputs[0]?.axisNames).toEqual(["N", ""]);
    expect(signature.opsets).toEqual({ "": 17n });
    expect([signature.batchable, ran, notes]).toEqual([true, true, []]);
    expect(BigInt(memoryBytes)).toBe(signature.memoryBytes);
  });

  it("carries every data type of the protocol", async () => {
    for (const { datatype } of elementTypes) {
      const { signature, ran } = await probe(echoModel(datatype));
      expect([shapes(signature.inputs), signature.batchable, ran]).toEqual([[`x ${datatype}[-1]`], true, true]);
    }
  });

  it("tries larger axes when the smallest are refused", async () => {
    const graph = new GraphBuilder("window");
    const kernel = graph.constant("k", "FP32", [1, 1, 3, 3], new Float32Array(9).fill(1));
    graph.output(
      graph.node("Conv", [graph.input("x", "FP32", ["N", 1, "H", "W"]), kernel], {}, { outputs: ["y"] }),
      "FP32",
      ["N", 1, "h", "w"],
    );
    const { ran, signature } = await probe(graph.toBytes());
    expect([ran, signature.batchable]).toEqual([true, true]);
  });

  it("takes rank 0, text, images, external data and empty tensors", async () => {
    expect((await probe(echoModel("FP32", []))).signature.batchable).toBe(false);
    expect(shapes((await probe(textModel())).signature.outputs)).toEqual(["words INT64[-1]", "question BOOL[-1]"]);
    expect((await probe(textLengthModel())).signature.batchable).toBe(true);
    expect((await probe(convModel())).signature.batchable).toBe(true);
    expect((await probe(echoModel("FP32", ["N", 0]))).ran).toBe(true);
    const { model, files } = externalDataModel();
    expect((await probeModel({ directory: await bundle(model, files), timeoutMs: 60_000 })).ran).toBe(true);
  });

  it("does not batch where an answer depends on its neighbours, and says so", async () => {
    const { signature, notes } = await probe(batchMixingModel());
    expect(signature.batchable).toBe(false);
    expect(notes.join()).toMatch(/ReduceMean.* works along the axis of the rows/);
  });

  it("says what decided on batching: the graph, or trial runs", async () => {
    const proven = await probe(tinyModel());
    expect(proven.signature.batching).toEqual({
      basis: BatchingBasis.PROVEN,
      reason: "Each row stays on its own through the graph's one node.",
    });
    for (const model of [quantisedLabelModel(), quantisedTokensModel(), splittingModel()]) {
      const { signature, notes } = await probe(model);
      expect([signature.batchable, signature.batching.basis]).toEqual([false, BatchingBasis.GRAPH]);
      expect(notes).toEqual([`Not batched: ${signature.batching.reason}`]);
    }
    const picky = new GraphBuilder("picky");
    const wide = picky.node("Reshape", [
      picky.input("x", "FP32", ["N"]),
      picky.constant("s", "INT64", [2], BigInt64Array.of(-1n, 7n)),
    ]);
    const back = picky.node(
      "Reshape",
      [wide, picky.constant("f", "INT64", [1], BigInt64Array.of(-1n))],
      {},
      { outputs: ["y"] },
    );
    picky.output(back, "FP32", ["N"]);
    const { signature } = await probe(picky.toBytes());
    expect([signature.batchable, signature.batching.basis]).toEqual([false, BatchingBasis.GRAPH]);
  });

  it("batches a model whose file says that its output has one row, and shows the axis as it is", async () => {
    const graph = new GraphBuilder("labels");
    const best = graph.node(
      "ArgMax",
      [graph.input("x", "FP32", ["N", 3])],
      { axis: { int: 1 }, keepdims: { int: 0 } },
      { outputs: ["label"] },
    );
    graph.output(best, "INT64", [1]);
    const { signature } = await probe(graph.toBytes());
    expect([shapes(signature.outputs), signature.batchable]).toEqual([["label INT64[-1]"], true]);
    const mixing = new GraphBuilder("sums");
    const sums = mixing.node(
      "CumSum",
      [mixing.input("x", "FP32", ["N", 3]), mixing.constant("a", "INT64", [], BigInt64Array.of(0n))],
      {},
      { outputs: ["y"] },
    );
    mixing.output(sums, "FP32", [1, 3]);
    expect(shapes((await probe(mixing.toBytes())).signature.outputs)).toEqual(["y FP32[-1,3]"]);
  });

  it("tries the categories a graph lists, where all others are an error", async () => {
    const graph = new GraphBuilder("categories", { domains: { "ai.onnx.ml": 1 } });
    const encode = (column: string, cats: readonly string[], outputs: string[]) =>
      graph.node(
        "OneHotEncoder",
        [column],
        { cats_strings: { strings: cats }, zeros: { int: 0 } },
        { domain: "ai.onnx.ml", outputs },
      );
    encode(graph.input("city", "BYTES", ["N", 1]), ["Bern", "Genf"], ["a"]);
    const both = graph.input("two", "BYTES", ["N", 2]);
    const column = (at: bigint) =>
      graph.node(
        "ArrayFeatureExtractor",
        [both, graph.constant(`at${at}`, "INT64", [1], BigInt64Array.of(at))],
        {},
        { domain: "ai.onnx.ml" },
      );
    encode(column(0n), ["red", "green"], ["b"]);
    encode(column(1n), ["small", "large"], ["c"]);
    for (const name of ["a", "b", "c"]) graph.output(name, "FP32", ["N", 1, 2]);
    const { ran, signature } = await probe(graph.toBytes());
    expect([ran, signature.batching.basis]).toEqual([true, BatchingBasis.PROVEN]);
  });

  it("leaves out inputs that have a default", async () => {
    const graph = new GraphBuilder("default");
    graph.input("b", "FP32", [1]);
    graph.constant("b", "FP32", [1], Float32Array.of(1));
    const sum = graph.node("Add", [graph.input("x", "FP32", ["N"]), "b"], {}, { outputs: ["y"] });
    graph.output(sum, "FP32", ["N"]);
    expect(shapes((await probe(graph.toBytes())).signature.inputs)).toEqual(["x FP32[-1]"]);
  });

  it("believes what came out over a shape the file claims", async () => {
    const graph = new GraphBuilder("claims");
    graph.output(graph.node("NonZero", [graph.input("x", "FP32", [4])], {}, { outputs: ["y"] }), "INT64", [1, 9]);
    const { signature } = await probe(graph.toBytes());
    expect(shapes(signature.outputs)).toEqual(["y INT64[1,-1]"]);
  });

  it("accepts a model that refuses every generated input, with a note", async () => {
    const graph = new GraphBuilder("picky");
    const inputs = [graph.input("x", "FP32", [7]), graph.input("shape", "INT64", [2])];
    const y = graph.node("Reshape", inputs, { allowzero: { int: 1 } }, { outputs: ["y"] });
    graph.output(y, "FP32", ["a", "b"]);
    const { ran, notes, signature } = await probe(graph.toBytes());
    expect([ran, signature.batchable]).toEqual([false, false]);
    expect(notes.join()).toMatch(/No trial run went through/);
  });
});

describe("probing a file that does not work", () => {
  it("says when it is no ONNX", async () => {
    for (const bytes of [new Uint8Array(), Buffer.from("PK\u0003\u0004 a zip"), tinyModel().subarray(0, 40)]) {
      const error = await refusal(probe(bytes));
      expect([error.code, error.reason]).toEqual(["INVALID_ARGUMENT", "NOT_ONNX"]);
    }
  });

  it("says when it crashes the runtime, and lives on", async () => {
    const error = await refusal(probe(crashModel()));
    expect([error.code, error.reason]).toEqual(["FAILED_PRECONDITION", "MODEL_CRASHES"]);
  });

  it("repeats ONNX Runtime's reason without paths or source lines", async () => {
    const graph = new GraphBuilder("unknown", { domains: { "com.example": 1 } });
    const x = graph.input("x", "FP32", [1]);
    graph.output(graph.node("Frobnicate", [x], {}, { domain: "com.example", outputs: ["y"] }), "FP32", [1]);
    const error = await refusal(probe(graph.toBytes()));
    expect([error.code, error.reason]).toEqual(["INVALID_ARGUMENT", "REFUSED_BY_RUNTIME"]);
    expect(error.message).toMatch(/Frobnicate.*not a registered function/);
    expect(error.message).not.toMatch(/(\/\w+){2}|\.cc/);
    const future = await refusal(probe(new GraphBuilder("future", { opset: 99 }).toBytes()));
    expect(future.code).toBe("INVALID_ARGUMENT");
  });

  it("refuses names that requests and answers cannot use: __proto__, and one name twice", async () => {
    const negative = (input: string, outputs: readonly string[]) => {
      const graph = new GraphBuilder("names");
      graph.node("Neg", [graph.input(input, "FP32", ["N"])], {}, { outputs: [outputs[0] as string] });
      for (const output of outputs) graph.output(output, "FP32", ["N"]);
      return graph.toBytes();
    };
    for (const model of [negative("__proto__", ["y"]), negative("x", ["__proto__"]), negative("x", ["y", "y"])]) {
      const error = await refusal(probe(model));
      expect([error.code, error.reason]).toEqual(["INVALID_ARGUMENT", "UNUSABLE_NAME"]);
    }
    expect((await refusal(probe(negative("x", ["y", "y"])))).message).toBe(
      'The model has two outputs of the name "y".',
    );
    expect((await probe(negative("constructor", ["toString"]))).ran).toBe(true);
  });

  it("says when the protocol cannot carry an output", async () => {
    const graph = new GraphBuilder("sequence");
    const x = graph.input("x", "FP32", [1]);
    graph.output(graph.node("SplitToSequence", [x], {}, { outputs: ["y"] }), "FP32", [1]);
    const output = graph.toGraph().output[0] as ValueInfoProto;
    const elemType = output.type as TypeProto;
    output.type = create(TypeProtoSchema, { value: { case: "sequenceType", value: { elemType } } });
    const error = await refusal(probe(graph.toBytes()));
    expect([error.code, error.reason]).toEqual(["INVALID_ARGUMENT", "NOT_REPRESENTABLE"]);
    expect(error.message).toMatch(/output "y" is a sequence/);
    expect(error.advice).not.toMatch(/zipmap/);
  });

  it("says how a classifier is exported with its probabilities as a tensor", async () => {
    const graph = new GraphBuilder("classifier");
    const x = graph.input("x", "FP32", ["N", 2]);
    graph.output(graph.node("Identity", [x], {}, { outputs: ["output_probability"] }), "FP32", ["N", 2]);
    const output = graph.toGraph().output[0] as ValueInfoProto;
    const map = create(TypeProtoSchema, { value: { case: "mapType", value: { keyType: 7 } } });
    output.type = create(TypeProtoSchema, { value: { case: "sequenceType", value: { elemType: map } } });
    const error = await refusal(probe(graph.toBytes()));
    expect(error.advice).toMatch(/output "output_probability" is a sequence.*options=\{"zipmap": False\}/);
  });

  it("gives up on a run that lasts too long, takes too much or is no longer wanted", async () => {
    const late = await refusal(probe(endless(), { timeoutMs: 2500 }));
    expect([late.code, late.reason]).toEqual(["FAILED_PRECONDITION", "MODEL_TOO_SLOW"]);
    const large = await refusal(probe(slowModel(), { memoryLimitBytes: 1024 * 1024 }));
    expect(large.reason).toBe("MODEL_TOO_LARGE");
    const controller = new AbortController();
    const pending = probe(endless(), { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("no longer wanted")), 200);
    await expect(pending).rejects.toThrow("no longer wanted");
  });
});

describe("a model that answers the same input differently", () => {
  it("is refused where it was exported in training mode, with what to do", async () => {
    const error = await refusal(probe(trainingModel()));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason: "STATEFUL_MODEL", field: "model.onnx" });
    expect(error.message).toMatch(/^BatchNormalization "BatchNormalization_0" is in training mode/);
    expect(error.remedy).toContain("model.eval()");
  });

  it("is taken where it draws random numbers, and that is said", async () => {
    const graph = new GraphBuilder("random");
    const noise = graph.node("RandomUniformLike", [graph.input("x", "FP32", ["N", 2])], { high: { float: 1000 } });
    graph.output(graph.node("Add", ["x", noise], {}, { outputs: ["y"] }), "FP32", ["N", 2]);
    const { ran, notes } = await probe(graph.toBytes());
    expect([ran, notes[0]]).toEqual([true, expect.stringMatching(/^RandomUniformLike draws random numbers: the same/)]);
  });
});

describe("external data", () => {
  it("that leaves the bundle, is missing, too short, or a link is refused", async () => {
    for (const location of [
      "../secret",
      "/etc/passwd",
      "a/../../b",
      "",
      "a\\b",
      "./model.onnx",
      "*/_ORT_MEM_ADDR_/*",
    ]) {
      const error = await refusal(probe(externalDataModel(location).model));
      expect([location, error.reason]).toEqual([location, "UNSAFE_BUNDLE"]);
    }
    const { model } = externalDataModel("weights.bin");
    const short = await bundle(model, new Map([["weights.bin", new Uint8Array(63)]]));
    expect((await refusal(probeModel({ directory: short, timeoutMs: 60_000 }))).message).toMatch(
      /to byte 64 .* has 63/,
    );
    const linked = await bundle(model);
    await writeFile(join(root, "outside.bin"), new Uint8Array(64));
    await symlink(join(root, "outside.bin"), join(linked, "weights.bin"));
    expect((await refusal(probeModel({ directory: linked, timeoutMs: 60_000 }))).message).toMatch(/a link/);
  });
});

/** A Loop whose condition never ends it. */
function endless(): Uint8Array {
  const body = new GraphBuilder("round");
  body.input("round", "INT64", []);
  body.input("going", "BOOL", []);
  body.input("state", "FP32", ["N"]);
  body.output(body.node("Identity", ["going"]), "BOOL", []);
  body.output(body.node("Tanh", ["state"]), "FP32", ["N"]);
  const graph = new GraphBuilder("endless");
  const x = graph.input("x", "FP32", ["N"]);
  graph.constant("yes", "BOOL", [], Uint8Array.of(1));
  graph.output(graph.node("Loop", ["", "yes", x], { body: { graph: body.toGraph() } }, { outputs: ["y"] }), "FP32", [
    "N",
  ]);
  return graph.toBytes();
}
