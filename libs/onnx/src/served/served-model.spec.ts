import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TypeProto, TypeProtoSchema } from "@aimass/api/onnx";
import { AimassError } from "@aimass/core";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Attributes, GraphBuilder, type GraphOptions, probeModel, readModel, writeModel } from "../index.ts";
import { loadRuntime, quietSession, type Runtime } from "../probe/runtime.ts";
import { mapsGraph, mapsModel, retype, sequenceGraph, sequenceModel, sequenceOf } from "./exported-samples.ts";
import { servedModel } from "./served-model.ts";

let root: string;
let runtime: Runtime;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "aimass-served-"));
  runtime = await loadRuntime();
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function probe(model: Uint8Array) {
  const directory = await mkdtemp(join(root, "bundle-"));
  await writeFile(join(directory, "model.onnx"), model);
  const result = await probeModel({ directory, timeoutMs: 60_000 });
  expect(Buffer.compare(await readFile(join(directory, "model.onnx")), model)).toBe(0);
  return result;
}

async function refusal(model: Uint8Array): Promise<AimassError> {
  const outcome = await probe(model).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(AimassError);
  return outcome as AimassError;
}

/** What the graph that is served of a model gives for a row of three numbers, as plain numbers and texts by output. */
async function answers(model: Uint8Array, row = [1, 2, 5]): Promise<Record<string, unknown[]>> {
  const session = await runtime.InferenceSession.create(writeModel(servedModel(readModel(model)).model), quietSession);
  const outputs = await session.run({ x: new runtime.Tensor("float32", Float32Array.from(row), [1, row.length]) });
  await session.release();
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { data }]) => [
      name,
      Array.from(data as ArrayLike<unknown>, (one) => (typeof one === "number" ? Number(one.toFixed(4)) : one)),
    ]),
  );
}

const outputs = ({ signature }: Awaited<ReturnType<typeof probe>>) =>
  signature.outputs.map(({ name, datatype, shape, labels }) => `${name} ${datatype}[${shape}] ${labels}`.trim());

describe("maps at the outputs", () => {
  it("are served as the tensor they are made of, under the same name, with the keys as labels", async () => {
    const numbers = await probe(mapsModel([7, -1, 12]));
    expect(outputs(numbers)).toEqual(["label INT64[-1]", "probabilities FP32[-1,3] 7,-1,12"]);
    expect(numbers.signature.batchable).toBe(true);
    expect(numbers.signature.adaptations).toEqual([
      'The output "probabilities" is the tensor that the file makes maps of; their keys are its labels.',
    ]);
    const texts = mapsModel(["ja", "nein", "weiß nicht"]);
    expect(outputs(await probe(texts))).toEqual(["label BYTES[-1]", "probabilities FP32[-1,3] ja,nein,weiß nicht"]);
    expect(await answers(texts)).toEqual({ label: ["weiß nicht"], probabilities: [0.125, 0.25, 0.625] });
  });

  it("need no operators of ai.onnx in the file", async () => {
    const model = readModel(mapsModel([0, 1, 2], { irVersion: 3 }));
    model.opsetImport = model.opsetImport.filter(({ domain }) => domain !== "");
    const { signature } = await probe(writeModel(model));
    expect(signature.outputs[1]?.labels).toEqual(["0", "1", "2"]);
    expect(signature.opsets).toEqual({ "ai.onnx.ml": 1n });
  });

  it("that no runtime makes, of FP64 or without classes, are served as their tensor", async () => {
    const maps = (values: "FP32" | "FP64", shape: readonly (number | string)[], attributes: Attributes) => {
      const graph = new GraphBuilder("unloadable", { domains: { "ai.onnx.ml": 1 } });
      const scores = graph.node("Abs", [graph.input("x", values, shape)]);
      graph.node("ZipMap", [scores], attributes, { domain: "ai.onnx.ml", outputs: ["probabilities"] });
      graph.output("probabilities", "FP32", []);
      const keyType = 7;
      const valueType = graph.toGraph().input[0]?.type as TypeProto;
      retype(
        graph,
        "probabilities",
        sequenceOf(create(TypeProtoSchema, { value: { case: "mapType", value: { keyType, valueType } } })),
      );
      return graph.toBytes();
    };
    const doubles = maps("FP64", ["N", 2], { classlabels_int64s: { ints: [0, 1] } });
    expect(outputs(await probe(doubles))).toEqual(["probabilities FP64[-1,2] 0,1"]);
    const targets = await probe(maps("FP32", [2, "N", 3], {}));
    expect(outputs(targets)).toEqual(["probabilities FP32[2,-1,3]"]);
    expect(targets.signature.adaptations).toEqual([
      'The output "probabilities" is the tensor that the file makes maps of.',
    ]);
  });

  it("may pass through Identity, and stand beside the tensor itself", async () => {
    const graph = mapsGraph([0, 1, 2]);
    graph.node("Identity", ["probabilities"], {}, { outputs: ["copied"] });
    const [label, maps] = graph.toGraph().output;
    if (label === undefined || maps === undefined) throw new Error("outputs are missing");
    maps.name = "copied";
    const tensor = graph.toGraph().node.find(({ opType }) => opType === "ZipMap")?.input[0] as string;
    graph.output(tensor, "FP32", ["N", 3]);
    expect(outputs(await probe(graph.toBytes()))).toEqual([
      "label INT64[-1]",
      "copied FP32[-1,3] 0,1,2",
      `${tensor} FP32[-1,3]`,
    ]);
  });

  it("of which something else in the graph is made are refused, with the exporter's option", async () => {
    const graph = mapsGraph([0, 1, 2]);
    graph.node("SequenceLength", ["probabilities"], {}, { outputs: ["rows"] });
    graph.output("rows", "INT64", []);
    const error = await refusal(graph.toBytes());
    expect([error.reason, error.message]).toEqual(["NOT_REPRESENTABLE", 'The output "probabilities" is a sequence.']);
    expect(error.remedy).toMatch(/options=\{"zipmap": False\}/);
  });

  it("inside a branch are refused, with the exporter's option", async () => {
    const type = mapsGraph([0, 1, 2]).toGraph().output[1]?.type;
    if (type === undefined) throw new Error("the type is missing");
    const branch = (name: string) => {
      const body = new GraphBuilder(name, { prefix: name });
      const maps = body.node("ZipMap", ["x"], { classlabels_int64s: { ints: [0, 1, 2] } }, { domain: "ai.onnx.ml" });
      body.output(maps, "FP32", []);
      retype(body, maps, type);
      return body.toGraph();
    };
    const graph = new GraphBuilder("branches", { domains: { "ai.onnx.ml": 1 } });
    graph.input("x", "FP32", ["N", 3]);
    const condition = graph.input("flag", "BOOL", []);
    graph.node(
      "If",
      [condition],
      { then_branch: { graph: branch("then") }, else_branch: { graph: branch("else") } },
      { outputs: ["y"] },
    );
    graph.output("y", "FP32", []);
    retype(graph, "y", type);
    expect((await refusal(graph.toBytes())).remedy).toMatch(/options=\{"zipmap": False\}/);
  });
});

describe("sequences at the outputs", () => {
  it("are served as one output an element, with the classes of the classifier behind it", async () => {
    const result = await probe(sequenceModel());
    expect(outputs(result)).toEqual(["probabilities_0 FP32[-1,3] a,b,c", "probabilities_1 FP32[-1,2] 0,1"]);
    expect(result.signature.batchable).toBe(true);
    expect(result.signature.adaptations).toEqual([
      'The sequence "probabilities" is served as "probabilities_0", "probabilities_1".',
    ]);
    expect(await answers(sequenceModel())).toEqual({
      probabilities_0: [0.125, 0.25, 0.625],
      probabilities_1: [0.3333, 0.6667],
    });
  });

  it("that are put together one by one, and read inside the graph too, are served in their order", async () => {
    const graph = new GraphBuilder("inserted");
    const x = graph.input("x", "FP32", ["N", 3]);
    const first = graph.node("SequenceInsert", [graph.node("SequenceEmpty", []), x]);
    graph.node("SequenceInsert", [first, graph.node("Neg", [x])], {}, { outputs: ["all"] });
    graph.output("all", "FP32", []);
    retype(graph, "all", sequenceOf(graph.toGraph().input[0]?.type as never));
    graph.node("SequenceLength", ["all"], {}, { outputs: ["all_0"] });
    graph.output("all_0", "INT64", []);
    expect(await answers(graph.toBytes())).toEqual({ all_0_: [1, 2, 5], all_1: [-1, -2, -5], all_0: [2n] });
  });

  it("whose elements the graph does not name are refused", async () => {
    const graph = new GraphBuilder("split");
    graph.node("SplitToSequence", [graph.input("x", "FP32", ["N", 3])], {}, { outputs: ["parts"] });
    graph.output("parts", "FP32", []);
    retype(graph, "parts", sequenceGraph().toGraph().output[0]?.type as never);
    expect((await refusal(graph.toBytes())).reason).toBe("NOT_REPRESENTABLE");
  });
});

describe("locales", () => {
  const folding = (locale?: string) => {
    const graph = new GraphBuilder("folding");
    const attributes = {
      case_change_action: { string: "LOWER" },
      ...(locale !== undefined && { locale: { string: locale } }),
    };
    graph.output(
      graph.node("StringNormalizer", [graph.input("x", "BYTES", ["N"])], attributes, { outputs: ["y"] }),
      "BYTES",
      ["N"],
    );
    return graph.toBytes();
  };

  it("that are not on this machine are replaced by one that folds letters the same way", async () => {
    for (const locale of [undefined, "en_US", "en_US.UTF-8", "de_DE.utf8", "en-US"]) {
      const { signature, ran } = await probe(folding(locale));
      expect([locale, ran, signature.adaptations]).toEqual([
        locale,
        true,
        [`Texts are folded in the locale C.UTF-8, which has the letters of "${locale ?? "en_US"}".`],
      ]);
    }
    const session = await runtime.InferenceSession.create(
      writeModel(servedModel(readModel(folding())).model),
      quietSession,
    );
    const { y } = await session.run({ x: new runtime.Tensor("string", ["ÉCOLE", "ЩИ", "ΣΑΣ", "İI"], [4]) });
    expect(y?.data).toEqual(["école", "щи", "σασ", "ii"]);
    await session.release();
  });

  it("that have letters of their own are left, and the remedy names one that is everywhere", async () => {
    const error = await refusal(folding("tr_TR.UTF-8"));
    expect(error.message).toBe("A StringNormalizer asks for the locale tr_TR.UTF-8, which this machine does not have.");
    expect(error.remedy).toMatch(/options=\{TfidfVectorizer: \{"locale": "C.UTF-8"\}\}/);
    expect((await probe(folding("C.UTF-8"))).signature.adaptations).toEqual([]);
  });
});

describe("versions and operators", () => {
  const one = (options: GraphOptions, operator = "Neg", domain = "") => {
    const graph = new GraphBuilder("one", options);
    graph.output(graph.node(operator, [graph.input("x", "FP32", ["N"])], {}, { domain, outputs: ["y"] }), "FP32", [
      "N",
    ]);
    return graph.toBytes();
  };
  const textOf = ({ message, remedy }: AimassError) => `${message} ${remedy}`;

  it("just too new are lowered where nothing in the file needs them, and shown as the file has them", async () => {
    const { signature, ran } = await probe(one({ irVersion: 14, opset: 28 }));
    expect([ran, signature.irVersion, signature.opsets]).toEqual([true, 14n, { "": 28n }]);
    expect(signature.adaptations).toEqual([
      "It is loaded as IR version 13 in place of 14.",
      "Its operators are taken from opset 26 in place of 28.",
    ]);
    expect((await probe(one({ irVersion: 14, opset: 17 }))).signature.adaptations).toHaveLength(1);
    expect((await probe(one({ irVersion: 13, opset: 26 }))).signature.adaptations).toEqual([]);
  });

  it("too new by more are refused: which, what this runtime has, how to convert", async () => {
    expect(textOf(await refusal(one({ irVersion: 15 })))).toMatch(
      /IR version 15, which is too new: .* up to IR version 13\. .*make_model\(graph, ir_version=13/,
    );
    expect(textOf(await refusal(one({ opset: 29 })))).toMatch(
      /opset 29 of ai\.onnx, which is too new: .* up to opset 26\. .*version_converter\.convert_version\(model, 26\)/,
    );
    expect(textOf(await refusal(one({ domains: { "ai.onnx.ml": 6 } })))).toMatch(
      /opset 6 of ai\.onnx\.ml, which is too new: .* up to opset 5\. .*opset 5 of ai\.onnx\.ml/,
    );
  });

  it("are refused where the file uses an operator that this runtime, or that opset, does not have", async () => {
    expect(textOf(await refusal(one({ irVersion: 14, opset: 28 }, "SwiGLU")))).toMatch(
      /SwiGLU is not in opset 28 of ai\.onnx as this ONNX Runtime has it, which goes up to 26\. .*target opset 26/,
    );
    expect(textOf(await refusal(one({ opset: 10 }, "Trilu")))).toMatch(
      /Trilu is not in opset 10 .*convert_version\(model, 26\)/,
    );
    expect(
      textOf(await refusal(one({ domains: { "ai.onnx.contrib": 1 } }, "BertTokenizer", "ai.onnx.contrib"))),
    ).toMatch(
      /BertTokenizer of the domain ai\.onnx\.contrib is not a registered function .*export the model without it/,
    );
    expect(textOf(await refusal(one({}, "Solve", "com.example")))).toMatch(
      /"com\.example" without importing .*make_opsetid/,
    );
  });
});
