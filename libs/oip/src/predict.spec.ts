import { describe, expect, it } from "vitest";
import { decodePredict, elementsOf, encodePredict, stringElements, type Tensor } from "./index.ts";

const spec = (name: string, datatype: string, shape: number[], optional = false) => ({
  name,
  datatype,
  shape: shape.map(BigInt),
  optional,
});
const decode = (json: unknown, ...inputs: ReturnType<typeof spec>[]) =>
  decodePredict(Buffer.from(JSON.stringify(json)), { inputs, outputs: [] }).inputs;
const answer = (...outputs: Tensor[]) =>
  JSON.parse(encodePredict({ modelName: "m", modelVersion: "1", id: "", outputs }).toString()).predictions;
const fp32 = (name: string, shape: number[], ...values: number[]): Tensor => ({
  name,
  datatype: "FP32",
  shape,
  bytes: new Uint8Array(Float32Array.from(values).buffer),
});

describe("POST /predict", () => {
  it("gives a text to the model's one string input, whatever its rank", () => {
    for (const [shape, expected] of [
      [[-1], [1]],
      [
        [-1, 1],
        [1, 1],
      ],
      [[1], [1]],
      [[], []],
    ] as [number[], number[]][]) {
      const [input] = decode({ text: "How are you?" }, spec("text", "BYTES", shape));
      expect(input?.shape).toEqual(expected);
      expect(stringElements(input?.bytes as Uint8Array)).toEqual(["How are you?"]);
    }
  });

  it("spreads several texts along the dynamic axis", () => {
    expect(decode({ text: ["a", "b"] }, spec("text", "BYTES", [-1, 1]))[0]?.shape).toEqual([2, 1]);
    expect(() => decode({ text: ["a", "b"] }, spec("text", "BYTES", [1]))).toThrow(/2 elements instead of 1/);
  });

  it("takes rows for the single input, and one row without its axis", () => {
    const x = spec("x", "FP32", [-1, 2]);
    expect(
      decode(
        {
          inputs: [
            [1, 2],
            [3, 4],
          ],
        },
        x,
      )[0]?.shape,
    ).toEqual([2, 2]);
    expect(decode({ inputs: [1, 2] }, x)[0]?.shape).toEqual([1, 2]);
  });

  it("takes several inputs by name and lets optional ones be absent", () => {
    const inputs = decode(
      { inputs: { a: [1], b: [[2]] } },
      spec("a", "INT64", [-1]),
      spec("b", "FP64", [-1, 1]),
      spec("c", "FP32", [1], true),
    );
    expect(inputs.map((input) => input.name)).toEqual(["a", "b"]);
    expect(elementsOf("INT64", inputs[0]?.bytes as Uint8Array)[0]).toBe(1n);
  });

  it("takes rows by the names of their columns, and what is missing in them", () => {
    const columns = [spec("size", "FP32", [-1]), spec("city", "BYTES", [-1])];
    const rows = [{ size: 50, city: "Rome" }, { city: null, size: 70 }, { city: "Bonn" }];
    const [size, city] = decode({ inputs: rows }, ...columns);
    expect(size?.shape).toEqual([3]);
    expect(Array.from(elementsOf("FP32", size?.bytes as Uint8Array) as Float32Array)).toEqual([50, 70, Number.NaN]);
    expect(stringElements(city?.bytes as Uint8Array)).toEqual(["Rome", "", "Bonn"]);
    expect(() => decode({ inputs: [{ size: 1, town: "Rome" }] }, ...columns)).toThrow(/no input "town"/);
    expect(() => decode({ inputs: [{ size: 1 }] }, ...columns)).toThrow(/needs the input "city"/);
    expect(() => decode({ inputs: [{ n: 1 }, {}] }, spec("n", "INT64", [-1]))).toThrow(/Element 1 .* is null/);
  });

  it("says what the model takes when the body does not fit", () => {
    const x = spec("x", "FP32", [-1, 2]);
    expect(() => decode({ text: "a" }, x)).toThrow(/does not take "text"/);
    expect(() => decode({ inputs: { y: 1 } }, x)).toThrow(/no input "y"/);
    expect(() => decode({ inputs: {} }, x)).toThrow(/needs the input "x"/);
    expect(() => decode({ inputs: [1] }, x, spec("z", "FP32", [1]))).toThrow(/2 inputs/);
    expect(() => decode({ inputs: 5 }, x)).toThrow(/data of 0 axes/);
    expect(() => decode({}, x)).toThrow(/neither/);
  });

  it("answers one entry a sample", () => {
    expect(answer(fp32("y", [2, 2], 1, 2, 3, 4))).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(answer(fp32("y", [2], 1, 2))).toEqual([1, 2]);
    expect(answer(fp32("y", [], 5))).toEqual([5]);
    expect(answer(fp32("y", [1, 1, 2], 1, 2))).toEqual([[[1, 2]]]);
  });

  it("answers several outputs as objects by name", () => {
    expect(answer(fp32("a", [2], 1, 2), fp32("b", [2, 1], 3, 4))).toEqual([
      { a: 1, b: [3] },
      { a: 2, b: [4] },
    ]);
    expect(answer(fp32("a", [1], 1), fp32("b", [2], 3, 4))).toEqual([{ a: [1], b: [3, 4] }]);
  });
});
