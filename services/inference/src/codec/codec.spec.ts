import { bytesFromElements, noParameters, stringElements } from "@aimass/oip";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ServingPlan } from "../servables/serving-plan.ts";
import { Codec } from "./codec.ts";
import type { CallBody } from "./read-call.ts";

const tensor = (name: string, datatype: "FP32" | "BYTES") =>
  ({ name, datatype, shape: [-1], optional: false, labels: [], cells: undefined }) as const;
const plan = {
  name: { project: "default", model: "m", version: 1n },
  inputs: [tensor("x", "FP32"), tensor("t", "BYTES")],
  outputs: [],
  batchable: true,
  isByRow: true,
  uniform: true,
} as unknown as ServingPlan;
const never = new AbortController().signal;
const body = (rows: number, cell: (row: number) => unknown): CallBody => ({
  kind: "predict",
  body: new Uint8Array(
    Buffer.from(JSON.stringify({ inputs: Array.from({ length: rows }, (_, row) => ({ x: cell(row), t: "ü", z: 1 })) })),
  ),
  model: "m",
  version: "",
  limitBytes: 2 ** 28,
});

let codec: Codec;

beforeEach(() => {
  codec = new Codec();
});

afterEach(() => codec[Symbol.asyncDispose]());

describe("bodies and answers of any size", () => {
  it.each([10, 20_000, 400_000])("are read alike, here or on a thread: %i rows", async (rows) => {
    const read = await codec.read(
      body(rows, (row) => row),
      plan,
      { ownsBody: true, signal: never },
    );
    const [x, t] = read.request.inputs;
    expect([x?.shape, t?.shape]).toEqual([[rows], [rows]]);
    const values = new Float32Array(Uint8Array.from(x?.bytes ?? []).buffer);
    expect([values[0], values[rows - 1]]).toEqual([0, rows - 1]);
    expect(Buffer.from(t?.bytes as Uint8Array).equals(bytesFromElements(new Array<string>(rows).fill("ü")))).toBe(true);
    expect(read.ignoredColumns).toBe("z");
  });

  it("are refused alike, and the thread goes on", async () => {
    for (const rows of [10, 20_000]) {
      const call = codec.read(
        body(rows, (row) => (row === 7 ? "seven" : row)),
        plan,
        { ownsBody: true, signal: never },
      );
      await expect(call).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        reason: "BAD_ELEMENT",
        field: "inputs[7].x",
        message: expect.stringMatching(/Row 8, column "x".*"seven"/),
        remedy: expect.any(String),
      });
    }
    await codec.read(
      body(20_000, () => 1),
      plan,
      { ownsBody: true, signal: never },
    );
  });

  it("are not read for whoever gave up, and small ones do not wait for very large ones", async () => {
    const order: string[] = [];
    const gone = new AbortController();
    const options = { ownsBody: true, signal: never };
    const first = codec
      .read(
        body(400_000, () => 1),
        plan,
        options,
      )
      .then(() => order.push("first"));
    const given = codec.read(
      body(400_000, () => 1),
      plan,
      { ownsBody: true, signal: gone.signal },
    );
    const light = codec
      .read(
        body(20_000, () => 1),
        plan,
        options,
      )
      .then(() => order.push("light"));
    gone.abort();
    await expect(given).rejects.toMatchObject({ code: "CANCELLED" });
    await Promise.all([first, light]);
    expect(order).toEqual(["light", "first"]);
  });

  it("are written alike, while others keep their views of the same memory", async () => {
    const shared = new Float32Array(200_000).map((_, i) => i);
    const y = {
      name: "y",
      datatype: "FP32",
      shape: [100_000],
      bytes: new Uint8Array(shared.buffer, 0, 400_000),
    } as const;
    const written = await codec.write(
      {
        kind: "rest",
        response: { modelName: "m", modelVersion: "1", id: "", parameters: noParameters, outputs: [y] },
        asked: { outputs: [], binaryByDefault: false },
      },
      never,
    );
    const answer = JSON.parse(Buffer.from(written.body).toString());
    expect(answer.outputs[0].data).toEqual(Array.from(shared.subarray(0, 100_000)));
    expect(shared[199_999]).toBe(199_999);
  });

  it("are ranked alike, many rows on a thread, while others keep their views of the same memory", async () => {
    const shared = new Float32Array(3 * 40_000).map((_, i) => (i * 7) % 5);
    const ranking = (rows: number) => {
      const bytes = new Uint8Array(shared.buffer, 0, rows * 12);
      const scores = { name: "y", datatype: "FP32", shape: [rows, 3], bytes } as const;
      return { scores, best: 2, labels: ["a", "b"], batched: true };
    };
    for (const rows of [10, 40_000]) {
      const ranked = await codec.rank([ranking(rows), { ...ranking(1), best: 1 }], never);
      expect(ranked.map(({ datatype, shape }) => ({ datatype, shape }))).toEqual([
        { datatype: "BYTES", shape: [rows, 2] },
        { datatype: "BYTES", shape: [1, 1] },
      ]);
      expect(ranked.map(({ bytes }) => stringElements(bytes).slice(0, 4))).toEqual([
        ["4:2", "2:1:b", "3:1:b", "1:0:a"],
        ["4:2"],
      ]);
    }
    expect(shared[2]).toBe(4);
  });
});
