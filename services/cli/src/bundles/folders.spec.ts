import { join } from "node:path";
import { externalDataModel, mlpModel, softmaxModel, tinyModel } from "@aimass/onnx/samples";
import { type TempDirectory, tempDirectory } from "@aimass/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { modelsAt } from "./models-at.ts";
import { openModel } from "./open-model.ts";
import { pathsOf, putFile, textOf } from "./testing.ts";

let folder: TempDirectory;

beforeEach(async () => {
  folder = await tempDirectory();
});

afterEach(() => folder[Symbol.asyncDispose]());

const at = (path: string) => join(folder.path, path);
const put = (path: string, bytes?: Uint8Array | string) => putFile(folder.path, path, bytes);
const open = (path: string, file?: string) => openModel(at(path), file);

const fraud = `
name: "fraud"  # in protobuf's text format
platform: 'onnxruntime_onnx'
max_batch_size: 8
input [ { name: "x" data_type: TYPE_FP32 dims: [ 3 ] } ]
output < name: "sco" "res", data_type: TYPE_FP32; dims: 3 label_filename: "labels.txt" >
dynamic_batching { max_queue_delay_microseconds: 100 preferred_batch_size: [4, 8] default_queue_policy { max_queue_size: 64 timeout_action: REJECT } }
instance_group [ { count: 2 kind: KIND_GPU gpus: [ 0 ] } ]
parameters { key: "p" value: { string_value: "1" } }
optimization { graph { level: 1 } }
`;

describe("a model in Triton's layout", () => {
  beforeEach(() => {
    put("fraud/config.pbtxt", fraud);
    put("fraud/labels.txt", "honest\nodd\r\nfraud\n");
    put("fraud/1/model.onnx", softmaxModel());
    put("fraud/10/model.onnx", softmaxModel());
    put("fraud/3/model.onnx", softmaxModel());
  });

  it("brings every version in order, with names of classes and how it is served", async () => {
    const model = await open("fraud");
    expect(model.told).toBe(
      "a Triton model: 3 versions (1, 3, 10), max_batch_size 8, labels of scores: honest, odd, fraud",
    );
    expect(model.name).toBe("fraud");
    expect(model.versions.map(({ labels }) => labels?.triton_version)).toEqual(["1", "3", "10"]);
    expect(model.serves).toBe(2);
    for (const bundle of model.versions) {
      expect(pathsOf(bundle).toSorted()).toEqual(["config.pbtxt", "labels.txt", "model.onnx", "model.yaml"]);
      expect(parse(await textOf(bundle, "model.yaml"))).toEqual({
        serving: { max_batch_size: 8, batch_delay_us: 100, queue_limit: 64, instances: 2 },
        outputs: [{ name: "scores", labels: ["honest", "odd", "fraud"] }],
      });
    }
  });

  it("names what means nothing here", async () => {
    const { left } = await open("fraud");
    expect(left.join("\n")).toMatch(/preferred_batch_size/);
    expect(left.join("\n")).toMatch(/instance_group\.kind: KIND_GPU/);
    expect(left.join("\n")).toMatch(/instance_group\.gpus/);
    expect(left.join("\n")).toMatch(/parameters/);
    expect(left.join("\n")).toMatch(/optimization/);
    expect(left.join("\n")).not.toMatch(/max_queue_size|timeout_action|label_filename|dims/);
  });

  it.each([
    ["version_policy: { specific: { versions: [1, 3] } }", 1, true],
    ["version_policy { latest { num_versions: 2 } }", 2, true],
    ["version_policy { all { } }", 2, true],
    ["", 2, false],
  ])("serves the newest that %s names", async (policy, serves, several) => {
    put("fraud/config.pbtxt", `${fraud}\n${policy}`);
    const model = await open("fraud");
    expect(model.serves).toBe(serves);
    expect(model.left.some((line) => line.startsWith("version_policy"))).toBe(several);
  });

  it("never shares runs where max_batch_size is 0, and leaves it to the inspection where it is left out", async () => {
    const config = fraud.replace("max_batch_size: 8", "max_batch_size: 0").replace("dims: [ 3 ]", "dims: [ -1, 3 ]");
    put("fraud/config.pbtxt", config);
    expect(parse(await textOf((await open("fraud")).versions[0], "model.yaml"))).toMatchObject({ batching: "off" });
    put("fraud/config.pbtxt", config.replace("max_batch_size: 0", ""));
    expect(parse(await textOf((await open("fraud")).versions[0], "model.yaml"))).not.toHaveProperty("batching");
  });

  it("says where the configuration and the graph differ", async () => {
    put(
      "fraud/config.pbtxt",
      fraud.replace('"x" data_type: TYPE_FP32 dims: [ 3 ]', '"x" data_type: TYPE_INT64 dims: [ 4 ]'),
    );
    put("fraud/labels.txt", "honest\nfraud\n");
    const { left, versions } = await open("fraud");
    expect(left).toContain("data_type INT64 of input x: the graph has FP32");
    expect(left).toContain("dims [4] of input x: the graph has [-1,3]");
    expect(left).toContain("labels of scores: there are 2, and its last axis has 3");
    expect(parse(await textOf(versions[0], "model.yaml"))).not.toHaveProperty("outputs");
  });

  it.each([
    [fraud.replace("onnxruntime_onnx", "tensorrt_plan"), /backend tensorrt_plan/],
    [fraud.replace("max_batch_size: 8", "max_batch_size: many"), /max_batch_size is no whole number/],
    [fraud.replace("max_batch_size: 8", "max_batch_size: -8"), /max_batch_size is -8, not a whole number from 0 to/],
    [fraud.replace("max_batch_size: 8", "max_batch_size: 9999999999"), /max_batch_size is 9999999999, not a whole/],
    [fraud.replace("labels.txt", "missing.txt"), /missing\.txt, which .* lacks/],
    [`${fraud}\nversion_policy { specific { versions: 7 } }`, /versions 1, 3, 10, and its version_policy wants 7/],
    ['name: "fraud', /line 1: it has "\\""/],
    ["input [ { name: } ]", /line 1: it has "}" where a value/],
    [`${"a { ".repeat(200)}`, /nests too deeply/],
  ])("is refused with what is wrong: %#", async (config, sentence) => {
    put("fraud/config.pbtxt", config);
    await expect(open("fraud")).rejects.toMatchObject({ message: expect.stringMatching(sentence) });
  });

  it("is taken with a graph of another name, weights of its own, a folder as its graph, and no configuration", async () => {
    put("named/config.pbtxt", 'default_model_filename: "net.onnx"');
    put("named/1/net.onnx", externalDataModel("w.bin").model);
    put("named/1/w.bin", new Uint8Array(64));
    expect(pathsOf((await open("named")).versions[0])).toEqual(["model.onnx", "w.bin", "config.pbtxt"]);
    put("deep/2/model.onnx/model.onnx", externalDataModel("w.bin").model);
    put("deep/2/model.onnx/w.bin", new Uint8Array(64));
    const deep = await open("deep");
    expect(deep.told).toMatch(/version 2, without a config\.pbtxt/);
    expect(pathsOf(deep.versions[0])).toEqual(["model.onnx", "w.bin"]);
  });
});

describe("a model as Hugging Face keeps it", () => {
  beforeEach(() => {
    put(
      "bert/config.json",
      JSON.stringify({ model_type: "bert", id2label: { 0: "NEGATIVE", 1: "NEUTRAL", 2: "POSITIVE" } }),
    );
    put("bert/tokenizer.json", "{}");
    put("bert/model.safetensors", "weights");
    put("bert/onnx/model.onnx", softmaxModel());
    put("bert/onnx/model_quantized.onnx", tinyModel());
    put("bert/onnx/model_fp16.onnx", externalDataModel("model_fp16.onnx_data").model);
    put("bert/onnx/model_fp16.onnx_data", new Uint8Array(64));
  });

  it("is onnx/model.onnx with its tokenizer and the names of its classes", async () => {
    const { told, versions, left } = await open("bert");
    expect(told).toMatch(
      /^a Hugging Face model: onnx\/model\.onnx of 3 variants \(.*\), labels of scores: NEGATIVE, NEUTRAL, POSITIVE$/,
    );
    expect(pathsOf(versions[0]).toSorted()).toEqual(["config.json", "model.onnx", "model.yaml", "tokenizer.json"]);
    expect(parse(await textOf(versions[0], "model.yaml"))).toEqual({
      outputs: [{ name: "scores", labels: ["NEGATIVE", "NEUTRAL", "POSITIVE"] }],
    });
    expect(left).toEqual(["model.safetensors: weights for another runtime"]);
  });

  it("is another variant when it is named, with that one's data", async () => {
    const { versions, left } = await open("bert", "model_fp16.onnx");
    expect(pathsOf(versions[0]).toSorted()).toEqual([
      "config.json",
      "model.onnx",
      "model_fp16.onnx_data",
      "tokenizer.json",
    ]);
    expect(left).toContain("id2label of config.json: no output has 3 scores");
  });
});

describe("a folder that mlflow wrote", () => {
  const descriptor =
    "flavors:\n  onnx:\n    data: nets/net.onnx\n    onnx_version: 1.23.2\n  python_function:\n    loader_module: mlflow.onnx\n";

  it("is the graph of its onnx flavour, with all that lies beside it", async () => {
    put("run/MLmodel", descriptor);
    put("run/nets/net.onnx", tinyModel());
    put("run/requirements.txt", "onnx");
    const { told, versions } = await open("run");
    expect(told).toBe("an MLflow model: nets/net.onnx of the flavour onnx");
    expect(pathsOf(versions[0])).toEqual(["model.onnx", "MLmodel", "requirements.txt"]);
  });

  it.each([
    ["flavors:\n  sklearn: {}\n  python_function: {}\n", /flavours sklearn, python_function/],
    [descriptor, /names the graph nets\/net\.onnx, which .* lacks/],
    ["flavors: [", /MLmodel cannot be read/],
  ])("of another kind is refused: %#", async (text, sentence) => {
    put("run/MLmodel", text);
    await expect(open("run")).rejects.toMatchObject({ message: expect.stringMatching(sentence) });
  });
});

describe("KServe's InferenceService", () => {
  const service = (predictor: string) =>
    `apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata:\n  name: style-sample\nspec:\n  predictor:\n    minReplicas: 2\n${predictor}`;

  it("is the model that its storageUri names on this machine", async () => {
    put("net/model.onnx", tinyModel());
    const uri = `file://${at("net")}`;
    put(
      "a.yaml",
      service(
        `    model:\n      modelFormat: { name: onnx }\n      protocolVersion: v2\n      storageUri: ${uri}\n      resources: {}\n`,
      ),
    );
    put("b.yml", `kind: Secret\n---\n${service("    onnx:\n      storageUri: ./net\n")}`);
    for (const path of ["a.yaml", "b.yml"]) {
      const { name, told, versions, left } = await open(path);
      expect(name).toBe("style-sample");
      expect(told).toMatch(/^KServe's style-sample at .*\/net, a folder with model\.onnx$/);
      expect(pathsOf(versions[0])).toEqual(["model.onnx"]);
      expect(left).toContain("predictor.minReplicas of the InferenceService");
    }
  });

  it.each([
    [
      "    model:\n      modelFormat: { name: onnx }\n      storageUri: s3://bucket/net\n",
      /s3:\/\/bucket\/net, which is not on this machine/,
    ],
    ["    onnx:\n      storageUri: pvc://claim/net\n", /not on this machine/],
    ["    model:\n      modelFormat: { name: xgboost }\n      storageUri: /net\n", /format xgboost/],
    ["    model:\n      modelFormat: { name: onnx }\n", /names no storageUri/],
  ])("of a model that is not here is refused: %#", async (predictor, sentence) => {
    put("a.yaml", service(predictor));
    await expect(open("a.yaml")).rejects.toMatchObject({ message: expect.stringMatching(sentence) });
  });
});

describe("a repository", () => {
  it("is all its models, whatever the layout of each, and no model itself", async () => {
    put("all/fraud/config.pbtxt", "");
    put("all/fraud/1/model.onnx", tinyModel());
    put("all/broken/config.pbtxt", 'backend: "python"');
    put("all/bert/onnx/model.onnx", tinyModel());
    put("all/runs/a/MLmodel", "");
    put("all/loose.onnx", tinyModel());
    put("all/net/export.onnx", mlpModel({ layers: [2, 2] }));
    expect(await modelsAt(at("all"))).toEqual(
      ["bert", "broken", "fraud", "loose.onnx", "net", "runs/a"].map((one) => at(`all/${one}`)),
    );
    await expect(open("all")).rejects.toMatchObject({ remedy: expect.stringMatching(/aimass import/) });
  });

  it("of one model is that model", async () => {
    put("repository/fraud/config.pbtxt", 'name: "fraud"');
    put("repository/fraud/1/model.onnx", tinyModel());
    expect((await open("repository")).name).toBe("fraud");
    expect(await modelsAt(at("repository/fraud"))).toEqual([at("repository/fraud")]);
  });
});
