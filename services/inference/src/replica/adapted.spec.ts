import { readdir, readFile } from "node:fs/promises";
import { BatchingBasis, type Version } from "@aimass/api/registry";
import { LoadState } from "@aimass/api/scheduler";
import { elementsOf, type Tensor } from "@aimass/oip";
import { GraphBuilder } from "@aimass/onnx";
import { mapsModel } from "@aimass/onnx/samples";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ChildService } from "../spec-support/child-service.ts";
import { ControlPlane } from "../spec-support/control-plane.ts";
import { ReplicaClient } from "../spec-support/replica-client.ts";
import { until } from "../spec-support/until.ts";

const replicaId = "node-a/cpu-0";
const classes = ["no", "perhaps", "yes"];
const bytes = mapsModel(classes);

let plane: ControlPlane;
let replica: ChildService;
let client: ReplicaClient;

beforeAll(async () => {
  plane = await ControlPlane.start();
  const env = { ...plane.env(), AIMASS_DEVICE: "cpu:0", AIMASS_REPLICA_MEMORY_BYTES: String(2 ** 31) };
  replica = await ChildService.start("replica-main.ts", env);
  client = await new ReplicaClient(replica.address("rpc"), () => plane.token("router")).ready();
  plane.assign(replicaId, [published()]);
  await until("answers ready", () =>
    plane.replicas.get(replicaId)?.loaded.find(({ state }) => state === LoadState.READY),
  );
});

afterAll(async () => {
  client?.[Symbol.dispose]();
  await replica?.[Symbol.asyncDispose]();
  await plane?.[Symbol.asyncDispose]();
});

/** A classifier with ZipMap as the registry describes it. */
function published(): Version {
  const version = plane.publish({
    model: "answers",
    bytes,
    inputs: ["x FP32 -1,3"],
    outputs: ["label BYTES -1", "probabilities FP32 -1,3"],
    batchable: true,
    batching: { basis: BatchingBasis.PROVEN, reason: "Each row stays on its own." },
  });
  const signature = version.signature as NonNullable<Version["signature"]>;
  signature.adaptations = ['The output "probabilities" is the tensor that the file makes maps of.'];
  for (const output of signature.outputs) if (output.name === "probabilities") output.labels = [...classes];
  return version;
}

function row(values: readonly number[]): Tensor[] {
  return [{ name: "x", datatype: "FP32", shape: [1, 3], bytes: new Uint8Array(Float32Array.from(values).buffer) }];
}

describe("a version whose file ends in maps", () => {
  it("answers its probabilities as a tensor, to many callers at once, and beside its unchanged file", async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, n) => {
        const { outputs } = await client.infer("answers", row([1, 1, n]));
        const scores = outputs.find(({ name }) => name === "probabilities") as Tensor;
        return [...scores.shape, ...(elementsOf("FP32", scores.bytes) as Float32Array)];
      }),
    );
    for (const [n, answer] of answers.entries()) {
      const expected = [1, 3, 1 / (n + 2), 1 / (n + 2), n / (n + 2)];
      expect(answer.map((value) => Number(value.toFixed(5)))).toEqual(expected.map((v) => Number(v.toFixed(5))));
    }
    const files = (await readdir(plane.directory, { recursive: true, withFileTypes: true })).filter(
      ({ name }) => name === "model.onnx",
    );
    expect(files).toHaveLength(1);
    for (const { parentPath, name } of files)
      expect(Buffer.compare(await readFile(`${parentPath}/${name}`), bytes)).toBe(0);
  });

  it("names the classes at /predict", async () => {
    const { body } = await client.rest("POST", "/models/answers/predict", {
      model: "answers",
      body: Buffer.from(
        JSON.stringify({
          inputs: [
            [1, 1, 2],
            [2, 1, 1],
          ],
        }),
      ),
    });
    expect(JSON.parse(String(body))).toEqual({
      predictions: [
        { label: "yes", probabilities: [0.25, 0.25, 0.5] },
        { label: "no", probabilities: [0.5, 0.25, 0.25] },
      ],
      classes: { probabilities: classes },
    });
  });
});

describe("a model whose file gives an input a default", () => {
  it("is called without that input by gRPC, by REST and at /predict", async () => {
    const graph = new GraphBuilder("defaults");
    graph.input("bias", "FP32", [1]);
    graph.constant("bias", "FP32", [1], Float32Array.of(10));
    const sum = graph.node("Add", [graph.input("x", "FP32", ["N", 3]), "bias"], {}, { outputs: ["y"] });
    graph.output(sum, "FP32", ["N", 3]);
    const plain = { inputs: ["x FP32 -1,3"], outputs: ["y FP32 -1,3"], batchable: true };
    plane.assign(replicaId, [published(), plane.publish({ model: "shifted", bytes: graph.toBytes(), ...plain })]);
    await until("shifted ready", () =>
      plane.replicas
        .get(replicaId)
        ?.loaded.find(({ model, state }) => model === "shifted" && state === LoadState.READY),
    );
    const { outputs } = await client.infer("shifted", row([1, 2, 3]));
    expect([...(elementsOf("FP32", outputs[0]?.bytes as Uint8Array) as Float32Array)]).toEqual([11, 12, 13]);
    const call = async (path: string, body: object) => {
      const answer = await client.rest("POST", path, { model: "shifted", body: JSON.stringify(body) });
      return JSON.parse(String(answer.body));
    };
    const x = { name: "x", shape: [1, 3], datatype: "FP32", data: [1, 2, 3] };
    expect((await call("/v2/models/shifted/infer", { inputs: [x] })).outputs[0].data).toEqual([11, 12, 13]);
    expect(await call("/models/shifted/predict", { inputs: { x: [[1, 2, 3]] } })).toEqual({
      predictions: [[11, 12, 13]],
    });
    expect(await call("/models/shifted/predict", { inputs: [[1, 2, 3]] })).toEqual({ predictions: [[11, 12, 13]] });
  });
});
