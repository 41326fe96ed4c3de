import { describe, expect, it } from "vitest";
import { decodePredict, elementsOf, stringElements, type Tensor, type TensorSpecView } from "./index.ts";

const spec = (name: string, datatype: string, shape: number[], optional = false) => ({
  name,
  datatype,
  shape,
  optional,
});
const call = (body: unknown, ...inputs: TensorSpecView[]) =>
  decodePredict(Buffer.from(typeof body === "string" ? body : JSON.stringify(body)), { inputs, outputs: [] });
const shown = (tensors: readonly Tensor[]) =>
  tensors.map(({ name, datatype, shape, bytes }) => [
    name,
    shape,
    datatype === "BYTES" ? stringElements(bytes) : Array.from(elementsOf("FP32", bytes)),
  ]);
const read = (body: unknown, ...inputs: TensorSpecView[]) => shown(call(body, ...inputs).request.inputs);

const a = spec("a", "FP32", [-1, 1]);
const b = spec("b", "BYTES", [-1, 1]);
const matrix = spec("X", "FP32", [-1, 2]);
const table = [
  ["a", [2, 1], [1, 2]],
  ["b", [2, 1], ["x", "y"]],
];
const values = [["X", [2, 2], [1, 2, 3, 4]]];

describe("rows as KServe and MLflow send them", () => {
  it.each([
    [
      "instances by name",
      {
        instances: [
          { a: 1, b: "x" },
          { b: "y", a: 2 },
        ],
      },
    ],
    [
      "instances as lists of cells",
      {
        instances: [
          [1, "x"],
          [2, "y"],
        ],
      },
    ],
    [
      "records",
      {
        dataframe_records: [
          { a: 1, b: "x" },
          { a: 2, b: "y" },
        ],
      },
    ],
    [
      "a split table",
      {
        dataframe_split: {
          columns: ["b", "a"],
          index: [0, 1],
          data: [
            ["x", 1],
            ["y", 2],
          ],
        },
      },
    ],
    ["a split table, data first", '{"dataframe_split":{"data":[[1,"x"],[2,"y"]],"columns":["a","b"]}}'],
    [
      "a split table without names",
      {
        dataframe_split: {
          data: [
            [1, "x"],
            [2, "y"],
          ],
        },
      },
    ],
    ["columns", { inputs: { a: [1, 2], b: ["x", "y"] } }],
    [
      "the list of rows alone",
      [
        { a: 1, b: "x" },
        { a: 2, b: "y" },
      ],
    ],
    ["the list of cells alone, spaced", ' [ [1 , "x"], [2,"y"] ] '],
    [
      "instances beside what means nothing here",
      {
        signature_name: "s",
        params: { k: 1 },
        instances: [
          [1, "x"],
          [2, "y"],
        ],
      },
    ],
  ])("are a table: %s", (_, body) => {
    expect(read(body, a, b)).toEqual(table);
  });

  it.each([
    [
      "instances",
      {
        instances: [
          [1, 2],
          [3, 4],
        ],
      },
    ],
    [
      "the list alone",
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [
      "a split table with names that the model does not know",
      {
        dataframe_split: {
          columns: ["p", "q"],
          data: [
            [1, 2],
            [3, 4],
          ],
        },
      },
    ],
    [
      "a split table with numbers as names",
      {
        dataframe_split: {
          columns: [0, 1],
          data: [
            [1, 2],
            [3, 4],
          ],
        },
      },
    ],
    [
      "inputs",
      {
        inputs: [
          [1, 2],
          [3, 4],
        ],
      },
    ],
  ])("are the values of a matrix: %s", (_, body) => {
    expect(read(body, matrix)).toEqual(values);
  });

  it("may be one value each", () => {
    expect(read({ instances: [1, 2] }, a)).toEqual([["a", [2, 1], [1, 2]]]);
    expect(read({ instances: [[1], [2]] }, spec("a", "FP32", [-1]))).toEqual([["a", [2], [1, 2]]]);
    expect(read({ instances: ["x", "y"] }, spec("b", "BYTES", [-1]))).toEqual([["b", [2], ["x", "y"]]]);
    expect(read({ instances: [5] }, spec("s", "FP32", []))).toEqual([["s", [], [5]]]);
  });

  it("keep gaps: null, and a column that is not there", () => {
    expect(read({ dataframe_split: { columns: ["a"], data: [[null], [2]] } }, a, b)).toEqual([
      ["a", [2, 1], [Number.NaN, 2]],
      ["b", [2, 1], ["", ""]],
    ]);
  });

  it("leave out what is optional, and name what is passed over", () => {
    const k = spec("k", "FP32", [-1, 1], true);
    const { request, ignoredColumns } = call({ dataframe_split: { columns: ["a", "y z"], data: [[1, 9]] } }, a, k);
    expect(shown(request.inputs)).toEqual([["a", [1, 1], [1]]]);
    expect(ignoredColumns).toBe("y%20z");
  });

  it.each([
    [{ instances: [] }],
    [[]],
    [{ dataframe_records: [] }],
    [{ dataframe_split: { columns: ["a"], data: [] } }],
  ])("may be none: %j", (body) => {
    expect(call(body, a, b).isEmpty).toBe(true);
  });

  it.each([
    [{ instances: { a: 1 } }, /"instances" is an object instead of a list of rows/],
    [{ instances: 5 }, /instead of a list/],
    [{ instances: [1, 2] }, /2 inputs/],
    [{ instances: [[1, "x"], [2]] }, /Row 2 has 1 cells instead of 2/],
    [{ instances: [[1, "x"], { a: 2 }] }, /Row 2 is an object among rows that are lists/],
    [{ instances: [{ a: 1 }, [2, "y"]] }, /Row 2 is a list among rows that are objects/],
    [{ instances: [[1, "x", 3]] }, /Row 1 has 3 cells instead of 2/],
    [{ instances: [["p", "x"]] }, /Row 1, column "a".*"p"/],
    [{ dataframe_records: [[1, "x"]] }, /Row 1 is a list instead of an object/],
    [{ dataframe_records: { a: [1] } }, /instead of a list/],
    [{ dataframe_split: [[1]] }, /"dataframe_split" is a list/],
    [{ dataframe_split: { columns: ["a"] } }, /has no "data"/],
    [{ dataframe_split: { columns: "a", data: [[1]] } }, /"columns" is a string/],
    [{ dataframe_split: { columns: [["a", 1]], data: [[1]] } }, /"columns" has a list among its names/],
    [{ dataframe_split: { columns: ["a", "a"], data: [[1, 2]] } }, /name "a" twice/],
    [{ dataframe_split: { columns: ["p", "q"], data: [[1, 2]] } }, /none of its inputs among the columns "p", "q"/],
    [{ dataframe_split: { columns: ["a", "b"], data: [[1, "x"], [2]] } }, /Row 2 has 1 cells instead of 2/],
    [{ dataframe_split: { columns: ["a"], data: [1] } }, /Row 1 is a number among rows that are lists/],
    [{ dataframe_split: { columns: ["a"], data: { a: 1 } } }, /"data" is an object/],
    [{ instances: [[1, "x"]], inputs: [] }, /both "inputs" and "instances"/],
    ['[[1,"x"]] 2', /breaks at '2'/],
    ['[[1,"x"]', /ends too early/],
    [5, /not an object/],
    ["", /ends too early/],
  ])("are refused in words: %j", (body, words) => {
    expect(() => call(body, a, b)).toThrow(words);
    expect(() => call(body, a, b)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  it("are never one row without its list: each entry is a row", () => {
    expect(() => call({ instances: [1, 2] }, matrix)).toThrow(/data of 1 axes/);
    expect(() => call([1, 2], matrix)).toThrow(/data of 1 axes/);
  });
});
