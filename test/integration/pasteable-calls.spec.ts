import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { callWithExample, hasHalves, pasteableCalls } from "@aimass/cli";
import { GraphBuilder, listedValues, readModel } from "@aimass/onnx";
import { convModel, echoModel, multiInputModel, textModel } from "@aimass/onnx/samples";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestMesh } from "../support/test-mesh.ts";

const run = promisify(execFile);

let mesh: TestMesh;

beforeAll(async () => {
  mesh = await TestMesh.start({ replicas: 1 });
}, 120_000);

afterAll(() => mesh?.[Symbol.asyncDispose]());

/** A pooled picture, which takes none that is smaller than 16 × 16. */
function pictureModel(axes: readonly (number | string)[]): Uint8Array {
  const graph = new GraphBuilder("picture");
  const x = graph.input("x", "FP32", [...axes]);
  const pooled = graph.node("AveragePool", [x], { kernel_shape: { ints: [16, 16] } }, { outputs: ["y"] });
  graph.output(pooled, "FP32", ["N", 3, "h", "w"]);
  return graph.toBytes();
}

/** A sequence with a state whose batch is axis 1. */
function stateModel(): Uint8Array {
  const graph = new GraphBuilder("state");
  const x = graph.input("x", "FP32", ["B", "T"]);
  const state = graph.input("state", "FP32", [2, "B", 1]);
  const rate = graph.input("rate", "INT64", []);
  const scaled = graph.node("Mul", [x, graph.node("Cast", [rate], { to: { int: 1 } })]);
  graph.output(graph.node("Add", [state, scaled], {}, { outputs: ["y"] }), "FP32", [2, "B", "T"]);
  return graph.toBytes();
}

/** Two columns of words, of which it takes no others than it lists. */
function wordsModel(): Uint8Array {
  const graph = new GraphBuilder("words", { opset: 17, irVersion: 8, domains: { "ai.onnx.ml": 1 } });
  const city = graph.input("city", "BYTES", ["N", 1]);
  const made = { domain: "ai.onnx.ml", outputs: ["y"] };
  const lists = { cats_strings: { strings: ["Bern", "O'Hare", "漢字"] }, zeros: { int: 0 } };
  graph.output(graph.node("OneHotEncoder", [city], lists, made), "FP32", ["N", 1, 3]);
  return graph.toBytes();
}

const samples: Readonly<Record<string, Uint8Array>> = {
  fp16: echoModel("FP16", ["N", 2]),
  bf16: echoModel("BF16", ["N", 2]),
  fp16picture: echoModel("FP16", [1, 3, 32, 32]),
  fp64: echoModel("FP64"),
  bool: echoModel("BOOL", ["N", 3]),
  scalar: echoModel("INT64", []),
  uint8: echoModel("UINT8", [1, 100, 100, 3]),
  several: multiInputModel(),
  conv: convModel(),
  dynamic: pictureModel(["N", 3, "H", "W"]),
  fixed: pictureModel(["N", 3, 224, 224]),
  state: stateModel(),
  words: wordsModel(),
  text: textModel(),
};

describe("calls of a model that was just pushed", { timeout: 60_000 }, () => {
  it.each(Object.keys(samples))("work as they are printed: %s", async (name) => {
    const onnx = samples[name] ?? expect.fail();
    const { signature } = await mesh.serve(name, onnx, 1);
    const { inputs = [], outputs = [] } = signature ?? {};
    const { graph } = readModel(onnx);
    const of = { inputs, outputs, listed: graph === undefined ? new Map() : listedValues(graph) };
    const example = await callWithExample(mesh.admin, { model: name, version: "" }, of);
    expect(example).toMatchObject({ refusal: undefined, answer: expect.anything() });
    const server = mesh.mesh.url();
    const calls = pasteableCalls({ server, model: name, inputs: example.inputs, halves: hasHalves(of) });
    const options = { env: { ...process.env, AIMASS_API_KEY: mesh.apiKey }, maxBuffer: 1 << 26 };
    const byShell = JSON.parse((await run("bash", ["-c", calls.curl], options)).stdout);
    expect(byShell).not.toHaveProperty("error");
    expect(byShell).toMatchObject(
      "outputs" in (example.answer ?? {}) ? { outputs: expect.anything() } : { predictions: expect.anything() },
    );
    expect(calls.curl.length).toBeLessThan(2000);
    const printed = await run("node", ["--input-type=module", "-e", calls.typescript], options);
    expect(printed.stdout).toMatch(/outputs|predictions/);
    expect(printed.stdout).not.toMatch(/error/);
  });
});
