import { BatchingBasis, BatchingChoice, type Version } from "@aimass/api/registry";
import { LoadState } from "@aimass/api/scheduler";
import { bytesFromElements, elementsOf, stringElements, type Tensor } from "@aimass/oip";
import { loadRuntime } from "@aimass/onnx";
import { quantisedLabelModel, quantisedTokensModel, splittingModel, tinyModel } from "@aimass/onnx/samples";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ChildService } from "../spec-support/child-service.ts";
import { ControlPlane } from "../spec-support/control-plane.ts";
import { ReplicaClient } from "../spec-support/replica-client.ts";
import { until } from "../spec-support/until.ts";

const replicaId = "node-a/cpu-0";

let plane: ControlPlane;
let replica: ChildService;
let client: ReplicaClient;
const held: Version[] = [];

beforeAll(async () => {
  plane = await ControlPlane.start();
  replica = await ChildService.start("replica-main.ts", {
    ...plane.env(),
    AIMASS_DEVICE: "cpu:0",
    AIMASS_REPLICA_MEMORY_BYTES: String(2 ** 31),
  });
  client = await new ReplicaClient(replica.address("rpc"), () => plane.token("router")).ready();
});

afterAll(async () => {
  client?.[Symbol.dispose]();
  await replica?.[Symbol.asyncDispose]();
  await plane?.[Symbol.asyncDispose]();
});

type Published = Parameters<ControlPlane["publish"]>[0];

const splitting = { bytes: splittingModel(), inputs: ["text BYTES -1"], outputs: ["pieces BYTES -1"], batchable: true };
const labels = { bytes: quantisedLabelModel(), inputs: ["x FP32 -1,16"], outputs: ["label INT64 -1"], batchable: true };
const tokens = {
  bytes: quantisedTokensModel(),
  inputs: ["ids INT64 -1,-1"],
  outputs: ["scores FP32 -1,3"],
  batchable: true,
};
const rows = { bytes: tinyModel(), inputs: ["x FP32 -1,4"], outputs: ["y FP32 -1,4"], batchable: true };

async function serve(options: Published): Promise<void> {
  held.push(plane.publish(options));
  plane.assign(replicaId, held);
  await until(`${options.model} ready`, () =>
    plane.replicas.get(replicaId)?.loaded.find((l) => l.model === options.model && l.state === LoadState.READY),
  );
}

const tensor = (name: string, datatype: Tensor["datatype"], shape: readonly number[], bytes: Uint8Array): Tensor => ({
  name,
  datatype,
  shape,
  bytes,
});
const texts = (given: readonly string[]) => [tensor("text", "BYTES", [given.length], bytesFromElements(given))];
const floats = (name: string, shape: readonly number[], values: Float32Array) => [
  tensor(name, "FP32", shape, new Uint8Array(values.buffer)),
];

async function pieces(model: string, given: readonly string[]): Promise<string[]> {
  const { outputs } = await client.infer(model, texts(given));
  return stringElements(outputs[0]?.bytes as Uint8Array, "pieces");
}

/** What the replica says of a model: `GET /v2/models/…`. */
async function batchingOf(model: string): Promise<string> {
  const { body } = await client.rest("GET", `/v2/models/${model}`, { model });
  return JSON.parse(Buffer.from(body).toString()).properties.batching;
}

/** Runs of a model since it was loaded, with how many rows each. */
async function batchSizes(model: string): Promise<number[]> {
  const { body } = await client.rest("GET", `/v2/models/${model}/stats`, { model });
  const [statistics] = JSON.parse(Buffer.from(body).toString()).model_stats;
  return statistics.batch_stats.map((batch: { batch_size: number }) => batch.batch_size);
}

/** Keeps the one thread busy for a while, so that the requests after these gather. */
function busy(model: string): Promise<unknown> {
  const many = Array.from({ length: 150_000 }, () => "x");
  return Promise.all([pieces(model, many), pieces(model, many)]);
}

describe("a model that gives any number of rows for a row", () => {
  it("never gives a caller what belongs to another, though its version was registered as batchable", async () => {
    await serve({ model: "splitting", ...splitting });
    const first = busy("splitting");
    // Two rows go in and two come out, both of them A's.
    const answers = await Promise.all([pieces("splitting", ["name.secret-of-A"]), pieces("splitting", [""])]);
    expect(answers).toEqual([["name", "secret-of-A"], []]);
    await first;
    expect(await batchingOf("splitting")).toMatch(
      /^Each request runs alone\. The node .* works on rows that are padded to the longest one/,
    );
  });

  it("is run alone once a run shows that its owner's statement is wrong, with a metric", async () => {
    const serving = { batching: BatchingChoice.STATED, batchingStatement: "Every text is one piece." };
    await serve({
      model: "stated",
      ...splitting,
      serving,
      batching: { basis: BatchingBasis.STATED, reason: "Its owner states: Every text is one piece." },
    });
    expect(await batchingOf("stated")).toBe("Requests share runs. Its owner states: Every text is one piece.");
    const first = busy("stated");
    // Four rows go in and seven come out: nobody can say whose they are.
    const answers = await Promise.all(["a.b.c", "d", "", "e.f.g"].map((text) => pieces("stated", [text])));
    expect(answers).toEqual([["a", "b", "c"], ["d"], [], ["e", "f", "g"]]);
    await first;
    expect(await pieces("stated", ["k.l"])).toEqual(["k", "l"]);
    expect(await batchingOf("stated")).toMatch(
      /^Each request runs alone\. It did not keep rows apart on this replica: output "pieces" has/,
    );
    const metrics = await fetch(`http://${replica.addresses.admin}/metrics`);
    expect(await metrics.text()).toMatch(
      /aimass_inference_batching_stopped_total\{model="default.stated",version="1"\} 1/,
    );
  });
});

describe("a dynamically quantised model", () => {
  it("gives every caller the label of its own row, whatever outlier is beside it", async () => {
    await serve({ model: "labels", ...labels });
    const next = randomNumbers(5);
    const inputs = Array.from({ length: 12 }, (_, i) =>
      Float32Array.from({ length: 16 }, () => (next() - 0.5) * (i === 11 ? 2000 : 2)),
    );
    await expectSame(
      labels.bytes,
      "labels",
      inputs.map((values) => floats("x", [1, 16], values)),
    );
    expect(await batchingOf("labels")).toMatch(/DynamicQuantizeLinear.* takes its scale from all rows/);
  });

  it("of ids gives every caller the scores of its own ids", async () => {
    await serve({ model: "tokens", ...tokens });
    const inputs = Array.from({ length: 12 }, (_, i) => {
      const ids = BigInt64Array.from({ length: 5 }, (__, at) => BigInt((i * 17 + at * 7) % 50));
      return [tensor("ids", "INT64", [1, 5], new Uint8Array(ids.buffer))];
    });
    await expectSame(tokens.bytes, "tokens", inputs);
  });
});

describe("a model whose rows do not meet", () => {
  it("shares runs: proven by the registry, or by a look at the graph of a version that was registered before", async () => {
    await serve({
      model: "proven",
      ...rows,
      batching: { basis: BatchingBasis.PROVEN, reason: "Each row stays on its own." },
    });
    await serve({ model: "older", ...rows });
    for (const model of ["proven", "older"]) {
      const first = busy("splitting");
      await Promise.all(
        Array.from({ length: 40 }, (_, i) => client.infer(model, floats("x", [1, 4], Float32Array.of(i, 1, 2, 3)))),
      );
      await first;
      expect(Math.max(...(await batchSizes(model)))).toBeGreaterThan(1);
      expect(await batchingOf(model)).toMatch(/^Requests share runs\. Each row stays on its own/);
    }
  });

  it("is run alone where its owner says so", async () => {
    await serve({
      model: "off",
      ...rows,
      batching: { basis: BatchingBasis.PROVEN, reason: "" },
      serving: { batching: BatchingChoice.OFF },
    });
    const first = busy("splitting");
    await Promise.all(
      Array.from({ length: 20 }, () => client.infer("off", floats("x", [1, 4], Float32Array.of(0, 1, 2, 3)))),
    );
    await first;
    expect(await batchSizes("off")).toEqual([1]);
    expect(await batchingOf("off")).toBe("Each request runs alone. Its owner switched batching off.");
  });
});

/** Numbers from 0 to 1 (Lehmer's generator). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

/** Twenty calls of each input at once, all equal to what ONNX Runtime gives for the input alone. */
async function expectSame(model: Uint8Array, name: string, inputs: readonly Tensor[][]): Promise<void> {
  const runtime = await loadRuntime();
  const session = await runtime.InferenceSession.create(model);
  const wanted = await Promise.all(
    inputs.map(async ([given]) => {
      const { name: input, datatype, shape, bytes } = given as Tensor;
      const type = datatype === "FP32" ? "float32" : "int64";
      const elements = elementsOf(datatype as "FP32", bytes) as Float32Array;
      const outputs = await session.run({ [input]: new runtime.Tensor(type as "float32", elements, shape) });
      const [only] = Object.values(outputs) as unknown as [{ data: Float32Array }];
      return [...only.data];
    }),
  );
  const first = busy("splitting");
  const answers = await Promise.all(
    inputs.flatMap((given, i) =>
      Array.from({ length: 20 }, async () => {
        const { outputs } = await client.infer(name, given);
        const { datatype, bytes } = outputs[0] as Tensor;
        return { i, got: [...(elementsOf(datatype as "FP32", bytes) as Float32Array)] };
      }),
    ),
  );
  await first;
  for (const { i, got } of answers) expect(got).toEqual(wanted[i]);
  await session.release();
}
