import { describe, expect, it } from "vitest";
import {
  type CellKind,
  decodePredictCsv,
  elementsOf,
  encodePredictCsv,
  stringElements,
  type Tensor,
  type TensorSpecView,
} from "./index.ts";

const spec = (name: string, datatype: string, shape: number[], optional = false) => ({
  name,
  datatype,
  shape,
  optional,
});
const column = (kind: CellKind, missing: string[] = ["NA"]) => ({
  cells: { kind, missing, trueWords: ["yes"], falseWords: ["no"] },
});
const call = (text: string | Uint8Array, ...inputs: TensorSpecView[]) =>
  decodePredictCsv(Buffer.from(text), { inputs, outputs: [] });
const read = (text: string | Uint8Array, ...inputs: TensorSpecView[]) =>
  call(text, ...inputs).request.inputs.map(({ name, datatype, shape, bytes }) => [
    name,
    shape,
    datatype === "BYTES"
      ? stringElements(bytes)
      : Array.from<number | bigint>(elementsOf(datatype as "FP32", bytes) as Float32Array),
  ]);

const a = spec("a", "FP32", [-1, 1]);
const b = spec("b", "BYTES", [-1]);

describe("a CSV file as the body of /predict", () => {
  it.each<[string, string | Uint8Array]>([
    ["plain", "a,b\n1,x\n2.5,y\n"],
    ["as Windows writes it", "\ufeffb,a\r\nx,1\r\ny,2.5\r\n"],
    ["without an end of its last line", "a,b\n1,x\n2.5,y"],
    ["quoted", '"a","b"\n"1","x"\n2.5,"y"\n'],
    ["with blanks behind the commas of its header", "a, b\n1,x\n2.5,y\n"],
    ["with empty lines", "\na,b\n\n1,x\n\n2.5,y\n\n"],
    ["by semicolons", "a;b\n1;x\n2.5;y\n"],
    ["by tabs", "a\tb\n1\tx\n2.5\ty\n"],
    ["by bars", "a|b\n1|x\n2.5|y\n"],
    ["with Excel's first line", "sep=;\r\na;b\r\n1;x\r\n2.5;y\r\n"],
    ["by semicolons, with commas in quotes", 'a;b;"c, d"\n1;x;0\n2.5;y;0\n'],
    ["in UTF-16", Buffer.from("\ufeffa\tb\r\n1\tx\r\n2.5\ty\r\n", "utf16le")],
    ["in UTF-16, the other way round", Buffer.from("\ufeffa,b\n1,x\n2.5,y\n", "utf16le").swap16()],
    ["with pandas' index and a column of no input", ",a,b,target\n0,1,x,9\n1,2.5,y,9\n"],
  ])("is rows by its header: %s", (_, text) => {
    expect(read(text, a, b)).toEqual([
      ["a", [2, 1], [1, 2.5]],
      ["b", [2], ["x", "y"]],
    ]);
  });

  it("keeps what quotes hold", () => {
    const text = 'b\n"a,b"\n"say ""hi"""\n"two\nlines"\n""\nü€😀\n';
    expect(read(text, b)).toEqual([["b", [5], ["a,b", 'say "hi"', "two\nlines", "", "ü€😀"]]]);
  });

  it("reads cells by what their columns mean", () => {
    const inputs = [
      { ...spec("n", "FP32", [-1, 1]), ...column("number") },
      { ...spec("f", "FP32", [-1, 1]), ...column("boolean") },
      { ...spec("d", "FP32", [-1, 1]), ...column("date") },
      { ...spec("c", "BYTES", [-1, 1]), ...column("category") },
    ];
    expect(read("n,f,d,c\nNA,yes,1970-01-03,NA\n 7 ,no,,red\n", ...inputs)).toEqual([
      ["n", [2, 1], [Number.NaN, 7]],
      ["f", [2, 1], [1, 0]],
      ["d", [2, 1], [2, Number.NaN]],
      ["c", [2, 1], ["", "red"]],
    ]);
  });

  it("reads cells by the data type where the columns have no meaning", () => {
    const inputs = [spec("i", "INT64", [-1]), spec("t", "BOOL", [-1]), spec("x", "FP64", [-1])];
    expect(read("i,t,x\n9007199254740993,True,\n-1,0,-Infinity\n", ...inputs)).toEqual([
      ["i", [2], [9007199254740993n, -1n]],
      ["t", [2], [1, 0]],
      ["x", [2], [Number.NaN, Number.NEGATIVE_INFINITY]],
    ]);
  });

  it("is the values of a matrix, whose columns have no names in the model", () => {
    expect(read("p,q\n1,2\n3,4\n", spec("X", "FP32", [-1, 2]))).toEqual([["X", [2, 2], [1, 2, 3, 4]]]);
    expect(read(",p,q\n0,1,2\n", spec("X", "FP32", [-1, -1]))).toEqual([["X", [1, 2], [1, 2]]]);
  });

  it("leaves out what is optional, names what is passed over, and may have no rows", () => {
    const k = spec("k", "FP32", [-1, 1], true);
    expect(read("a,k\n1,\n", a, k)).toEqual([["a", [1, 1], [1]]]);
    expect(call("a,y\n1,2\n", a).ignoredColumns).toBe("y");
    expect(call("a\n", a).isEmpty).toBe(true);
  });

  it.each([
    ["", /it is empty/],
    ["a,b\n1\n", /Row 1 has 1 cells instead of 2/],
    ["a,b\n1,x\n2,y,z\n", /Row 2 has 3 cells instead of 2/],
    ["p,q\n1,2\n", /none of its inputs among the columns "p", "q"/],
    ["a,a\n1,2\n", /names a column twice/],
    ["a,b\n1,x\none,y\n", /Row 2, column "a", which is FP32, is the string "one"/],
    ['a,b\n1,"x\n', /quote in line 2 is never closed/],
    ['a,b\n1,"x"y\n', /text follows a quote in line 2/],
    [new Uint8Array([0x61, 0x0a, 0xff]), /not UTF-8/],
    [new Uint8Array([0xff, 0xfe, 0x61]), /not UTF-16/],
    ['sep=;\na;b\n1;"x', /quote in line 3 is never closed/],
    ["sep=§\na§b\n1§xç\n", /its first line says that "§" stands between cells/],
    ["sep=😀\na😀b\n1😀x\n", /its first line says that "😀" stands between cells/],
  ])("is refused in words: %j", (text, words) => {
    expect(() => call(text, a, b)).toThrow(words);
    expect(() => call(text, a, b)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  it("cannot give lists, or gaps where the data type has none", () => {
    expect(() => call("a,v\n1,2\n", a, spec("v", "FP32", [-1, 3]))).toThrow(/takes a list as each "v"/);
    expect(() => call("i,a\n,1\n", spec("i", "INT64", [-1]), a)).toThrow(
      /Row 1, column "i", which is INT64, is missing/,
    );
    expect(() => call("p,q\n1,2\n", spec("X", "FP32", [-1, 2, 2]))).toThrow(/no table of 2 columns/);
  });
});

describe("an answer as CSV", () => {
  const fp32 = (name: string, shape: number[], ...values: number[]): Tensor => ({
    name,
    datatype: "FP32",
    shape,
    bytes: new Uint8Array(Float32Array.from(values).buffer),
  });
  const label: Tensor = {
    name: "label",
    datatype: "BYTES",
    shape: [2],
    bytes: Buffer.concat([Buffer.from([3, 0, 0, 0]), Buffer.from('a,"'), Buffer.from([1, 0, 0, 0]), Buffer.from("b")]),
  };
  const form = (outputs: readonly Tensor[], isByRow = true) => ({
    isByRow,
    outputs: outputs.map((o) => ({ ...o, labels: o.name === "p" ? ["no", "yes"] : [] })),
  });
  const written = (outputs: Tensor[], isByRow = true) =>
    encodePredictCsv({ outputs }, form(outputs, isByRow))?.toString();

  it("has a column for each element of a row, named by its class or its place", () => {
    expect(written([label, fp32("p", [2, 2], 0.5, 0.5, 1, 0), fp32("v", [2, 2], 1, 2, 3, Number.NaN)])).toBe(
      'label,p_no,p_yes,v_0,v_1\n"a,""",0.5,0.5,1,2\nb,1,0,3,NaN\n',
    );
    expect(written([fp32("y", [2, 1], 1, 2)])).toBe("y\n1\n2\n");
    expect(written([fp32("y", [3], 1, 2, 3)], false)).toBe("y\n1\n2\n3\n");
  });

  it("is the names of the columns where there are no rows", () => {
    const outputs = [
      { ...spec("label", "BYTES", [-1]), labels: [] },
      { ...spec("p", "FP32", [-1, -1]), labels: ["no", "yes"] },
      { ...spec("v", "FP32", [-1, 2]), labels: [] },
      { ...spec("w", "FP32", [-1, -1]), labels: [] },
    ];
    expect(encodePredictCsv({ outputs: [] }, { outputs, isByRow: true })?.toString()).toBe(
      "label,p_no,p_yes,v_0,v_1,w\n",
    );
  });

  it("is none where outputs are not by the rows", () => {
    expect(written([fp32("y", [2], 1, 2), fp32("s", [2], 1, 2)], false)).toBe(undefined);
    expect(written([fp32("y", [2], 1, 2), fp32("s", [3], 1, 2, 3)])).toBe(undefined);
  });
});
