import { Cells } from "@aimass/oip";
import { describe, expect, it } from "vitest";
import { exampleInputs, readInputs, textInputs } from "./predict-inputs.ts";

const metadata = (...inputs: readonly (readonly [name: string, datatype: string])[]) => ({
  ...{ name: "m", versions: ["1"], outputs: [] },
  inputs: inputs.map(([name, datatype]) => ({ name, datatype, shape: [-1, 1] })),
});

describe("a text to predict from", () => {
  it("is the input of a model that takes one string", () => {
    expect(textInputs(metadata(["text", "BYTES"]), "hello")).toEqual([
      { name: "text", datatype: "BYTES", shape: [1, 1], data: ["hello"] },
    ]);
  });

  it.each([
    [metadata(["x", "FP32"]), "x FP32[-1,1]"],
    [metadata(["city", "BYTES"], ["size", "FP32"]), "city BYTES[-1,1], size FP32[-1,1]"],
  ])("is refused where it would be in no input, or made-up numbers beside it", (of, takes) => {
    expect(() => textInputs(of, "hello")).toThrow(`--text is for a model of one string; this one takes ${takes}.`);
  });
});

describe("inputs as they were typed", () => {
  const age = { ...metadata(["age", "FP32"]) };

  it("are rows for inputs of [N,1], whole numbers with all their digits", async () => {
    expect(await readInputs(age, ['{"age": [40, 22]}'])).toEqual([
      { name: "age", datatype: "FP32", shape: [2, 1], data: [40, 22] },
    ]);
    expect(await readInputs(metadata(["id", "INT64"]), ["id=9007199254740993"])).toEqual([
      { name: "id", datatype: "INT64", shape: [1, 1], data: [9007199254740993n] },
    ]);
  });

  it("take true and false for the numbers that a column of booleans was trained as, and for nothing else", async () => {
    const table = metadata(["active", "FP32"], ["is_new", "BOOL"], ["seen", "INT64"]);
    const inputs = await readInputs(table, ['{"active": [true, false, null], "is_new": [true]}', "seen=true"]);
    expect(inputs.map((tensor) => "data" in tensor && tensor.data)).toEqual([[1, 0, null], [true], [1]]);
    expect(await readInputs(metadata(["word", "BYTES"]), ['{"word": [true]}'])).toMatchObject([{ data: [true] }]);
  });

  it("are days, moments and words as the model's columns had them in training", async () => {
    const cells = (kind: "date" | "datetime" | "boolean" | "number") =>
      new Cells({ kind, missing: ["NA"], trueWords: ["yes"], falseWords: ["no"] });
    const known = new Map([
      ["day", cells("date")],
      ["at", cells("datetime")],
      ["active", cells("boolean")],
      ["age", cells("number")],
    ]);
    const table = metadata(["day", "FP64"], ["at", "FP64"], ["active", "FP32"], ["age", "FP32"]);
    const read = async (...typed: string[]) =>
      (await readInputs(table, typed, async () => known)).map((tensor) => "data" in tensor && tensor.data);
    expect(await read("day=1970-01-11", "at=1970-01-01T00:01:00Z", "active=yes", "age=NA")).toEqual([
      [10],
      [60],
      [1],
      [null],
    ]);
    expect(await read('{"day": ["1970-01-02", null, "1970-01-03"], "age": [1, 2, 3]}')).toEqual([
      [1, null, 2],
      [1, 2, 3],
    ]);
    await expect(read("day=1970-13-01")).rejects.toMatchObject({
      message: 'Input day is FP64; "1970-13-01" is no value of it.',
      remedy: "Write it like day=2024-12-31.",
    });
    await expect(readInputs(table, ["age=old"])).rejects.toThrow('Input age is FP32; "old" is no value of it.');
  });

  it("are refused where one is given twice, by whichever way", async () => {
    const table = metadata(["a", "FP32"], ["b", "FP32"]);
    for (const typed of [
      ["a=1", "a=2"],
      ['{"a": [1], "b": [2]}', "a=2"],
    ])
      await expect(readInputs(table, typed)).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: 'The input "a" was given twice.',
      });
  });

  it("are days as the data of training wrote them, and in ISO 8601", async () => {
    const cells = new Cells({ kind: "date", missing: [], trueWords: [], falseWords: [], dates: "DD.MM.YYYY" });
    const table = metadata(["day", "FP64"]);
    const read = async (typed: string) => {
      const [tensor] = await readInputs(table, [typed], async () => new Map([["day", cells]]));
      return tensor && "data" in tensor && tensor.data;
    };
    expect(await read("day=11.01.1970")).toEqual([10]);
    expect(await read('{"day": ["2.1.1970", "1970-01-03", null]}')).toEqual([1, 2, null]);
    // What no calendar has was missing in training, too.
    expect(await read("day=31.02.1970")).toEqual([null]);
    await expect(read("day=12.31.1970")).rejects.toMatchObject({
      message: 'Input day is FP64; "12.31.1970" is no value of it.',
      remedy: "Write it like day=31.12.2024.",
    });
  });

  it("are made up of the most frequent categories where the version knows them", () => {
    const known = new Map([["sex", ["female", "male"]]]);
    const inputs = exampleInputs(metadata(["sex", "BYTES"], ["name", "BYTES"]), undefined, known);
    expect(inputs.map(({ data }) => data)).toEqual([["female"], ["How are you?"]]);
  });
});
