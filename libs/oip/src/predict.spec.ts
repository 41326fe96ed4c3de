import { describe, expect, it } from "vitest";
import {
  type CellKind,
  decodePredict,
  elementsOf,
  encodePredict,
  fromFp16,
  stringElements,
  type Tensor,
  type TensorSpecView,
} from "./index.ts";

const spec = (name: string, datatype: string, shape: number[], optional = false) => ({
  name,
  datatype,
  shape: shape.map(BigInt),
  optional,
});
const decode = (json: unknown, ...inputs: TensorSpecView[]) =>
  decodePredict(Buffer.from(JSON.stringify(json)), { inputs, outputs: [] }).request.inputs;
const decodeText = (json: string, ...inputs: TensorSpecView[]) =>
  decodePredict(Buffer.from(json), { inputs, outputs: [] }).request.inputs;
const whole = (isByRow: boolean, outputs: readonly Tensor[], labels: Readonly<Record<string, string[]>> = {}) =>
  JSON.parse(
    encodePredict(
      { outputs },
      { isByRow, outputs: outputs.map((o) => ({ ...o, labels: labels[o.name] ?? [] })) },
    ).toString(),
  );
const answer = (...outputs: Tensor[]) => whole(true, outputs).predictions;
const numbers = (tensor: Tensor | undefined) =>
  Array.from(elementsOf(tensor?.datatype as "FP32", tensor?.bytes as Uint8Array) as Float32Array);
const texts = (tensor: Tensor | undefined) => stringElements(tensor?.bytes as Uint8Array);
const column = (kind: CellKind, missing: string[] = ["NA", "-999"]) => ({
  cells: { kind, missing, trueWords: ["true", "yes", "1"], falseWords: ["false", "no", "0"] },
});
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
    expect(() => decode({ inputs: [{ n: 1 }, { n: null }] }, spec("n", "INT64", [-1]))).toThrow(
      /Row 2, column "n", which is INT64, is missing/,
    );
  });

  it("finds columns by names with white space around them, as the header of a dataset may have had", () => {
    const columns = [spec("a", "FP32", [-1]), spec("b", "FP32", [-1])];
    const split = { dataframe_split: { columns: [" a ", " b"], data: [[1, 2]] } };
    for (const body of [{ inputs: [{ a: 1, " b": 2 }] }, { inputs: { "a ": [1], " b": [2] } }, split])
      expect(decode(body, ...columns).map(numbers)).toEqual([[1], [2]]);
    const written = spec(" b", "FP32", [-1]);
    expect(decode({ inputs: [{ " b": 2, b: 3 }] }, written, columns[1] as TensorSpecView).map(numbers)).toEqual([
      [2],
      [3],
    ]);
    expect(() => decode({ inputs: [{ b: 1, " b": 2 }] }, ...columns)).toThrow(/names "b" twice/);
  });

  it("makes a column for each input of the model, [N] or [N,1], whatever the rows name", () => {
    for (const shape of [[-1], [-1, 1]]) {
      const inputs = [spec("a", "FP32", shape), spec("b", "FP32", shape)];
      const rows = [{ a: 1, b: 2 }, { b: 4, a: 3 }, { a: 5 }, { b: 6 }];
      const [a, b] = decode({ inputs: rows }, ...inputs);
      expect([numbers(a), numbers(b)]).toEqual([
        [1, 3, 5, Number.NaN],
        [2, 4, Number.NaN, 6],
      ]);
      expect(a?.shape).toEqual(shape.length === 1 ? [4] : [4, 1]);
      for (const [row, cells] of rows.entries()) {
        expect(decode({ inputs: [cells] }, ...inputs).flatMap(numbers)).toEqual(
          [a, b].map((tensor) => numbers(tensor)[row]),
        );
      }
    }
  });

  it("passes over columns that are no inputs and names them, as far as a header can", () => {
    const signature = { inputs: [spec("a", "FP32", [-1])], outputs: [] };
    const body = (json: object) => decodePredict(Buffer.from(JSON.stringify(json)), signature);
    const call = body({
      inputs: [
        { a: 1, "größe, cm": 2 },
        { target: "yes", a: 2, deep: [{ x: [1] }] },
      ],
    });
    expect(numbers(call.request.inputs[0])).toEqual([1, 2]);
    expect(call.ignoredColumns).toBe("gr%C3%B6%C3%9Fe%2C%20cm,target,deep");
    expect(body({ inputs: { a: [1], target: [2] } }).ignoredColumns).toBe("target");
    expect(body({ inputs: [{ a: 1 }] }).ignoredColumns).toBeUndefined();
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`column ${i}`, i]));
    const header = body({ inputs: [{ ...many, a: 1 }] }).ignoredColumns ?? "";
    expect(header.length).toBeLessThan(1100);
    expect(header.endsWith(",...")).toBe(true);
  });

  it("refuses a row of which no column is an input, alone and among others", () => {
    const a = spec("a", "FP32", [-1]);
    for (const rows of [[{ A: 1 }], [{ a: 1 }, { A: 1 }], [{}]]) {
      expect(() => decode({ inputs: rows }, a)).toThrow(/finds none of its inputs in row/);
    }
    expect(() => decode({ inputs: [{ age: 1, size: 2 }] }, spec("X", "FP32", [-1, 2]))).toThrow(
      expect.objectContaining({ remedy: expect.stringContaining("send each row as a list") }),
    );
  });

  it("reads cells as the column's were read: missing words, booleans, numbers as text, numbers as names", () => {
    const inputs = [
      { ...spec("n", "FP32", [-1]), ...column("number") },
      { ...spec("b", "FP32", [-1]), ...column("boolean") },
      { ...spec("c", "BYTES", [-1]), ...column("category") },
    ];
    const rows = [
      { n: "NA", b: "True", c: "NA" },
      { n: " 1e3", b: false, c: 5 },
      { n: -999, b: " no ", c: " NA" },
      { n: "-999.0", b: 1, c: "" },
      { n: ".5", b: "NA", c: 12345678901234567890n },
      { n: "", b: null, c: true },
    ];
    const text = `[${rows.map((row) => `{"n":${JSON.stringify(row.n)},"b":${JSON.stringify(row.b)},"c":${typeof row.c === "bigint" ? row.c : JSON.stringify(row.c)}}`)}]`;
    const [n, b, c] = decodeText(`{"inputs":${text}}`, ...inputs);
    expect(numbers(n)).toEqual([Number.NaN, 1000, Number.NaN, Number.NaN, 0.5, Number.NaN]);
    expect(numbers(b)).toEqual([1, 0, 0, 1, Number.NaN, Number.NaN]);
    expect(texts(c)).toEqual(["", "5", " NA", "", "12345678901234567890", "true"]);
    expect(() => decode({ inputs: [{ n: 1 }, { n: "abc" }] }, ...inputs)).toThrow(/Row 2, column "n".* "abc"/);
    expect(numbers(decode({ inputs: { n: ["NA", "7"], b: ["yes", true], c: ["x", "y"] } }, ...inputs)[0])).toEqual([
      Number.NaN,
      7,
    ]);
  });

  it("reads days and moments, and their numbers", () => {
    const day = { ...spec("d", "FP64", [-1]), ...column("date") };
    const moment = { ...spec("t", "FP64", [-1]), ...column("datetime") };
    expect(numbers(decode({ inputs: ["2024-02-29", 3, null, "NA"].map((d) => ({ d })) }, day)[0])).toEqual([
      19782,
      3,
      Number.NaN,
      Number.NaN,
    ]);
    const moments = ["1970-01-02", "1970-01-01T00:00:01.5", "1970-01-01 01:00:00+01:00", 60, null];
    expect(numbers(decode({ inputs: moments.map((t) => ({ t })) }, moment)[0])).toEqual([
      86400,
      1.5,
      0,
      60,
      Number.NaN,
    ]);
    expect(() => decode({ inputs: [{ d: "2024-02-30" }] }, day)).toThrow(/Row 1, column "d".*2024-02-30/);
    const whole = { ...spec("d", "INT64", [-1]), ...column("date") };
    expect(elementsOf("INT64", decode({ inputs: [{ d: "1970-01-11" }] }, whole)[0]?.bytes as Uint8Array)[0]).toBe(10n);
    expect(() => decode({ inputs: [{ d: null }] }, whole)).toThrow(/Row 1, column "d", which is INT64, is missing/);
  });

  it("takes days as the data of training wrote them, in ISO 8601, and as their numbers", () => {
    const cells = (kind: "date" | "datetime" | "category", dates: string) =>
      ({ cells: { kind, dates, missing: ["NA"], trueWords: [], falseWords: [] } }) as const;
    const days = (given: readonly unknown[], input: ReturnType<typeof spec>) =>
      numbers(decode({ inputs: given.map((d) => ({ d })) }, input)[0]);
    const day = { ...spec("d", "FP64", [-1]), ...cells("date", "DD.MM.YYYY") };
    expect(days(["29.02.2024", " 1.1.1970 ", "2024-02-29", 3, null, "NA"], day)).toEqual([
      ...[19782, 0, 19782, 3],
      ...[Number.NaN, Number.NaN],
    ]);
    const refused = /Row 1, column "d".*(heute|02\/01\/2024|12\.31\.2024)/;
    for (const text of ["heute", "02/01/2024", "12.31.2024"]) expect(() => days([text], day)).toThrow(refused);
    // As in the data of training, where they are counted and told.
    const none = ["31.02.2024", "00.00.0000", "?", "-", "n/a"];
    expect(days(none, day)).toEqual(none.map(() => Number.NaN));
    const iso = { ...spec("d", "FP64", [-1]), ...cells("date", "YYYY-MM-DD") };
    expect(days(["0000-00-00", "?", "2024-02-30", "1970-01-02"], iso)).toEqual([...[1, 2, 3].map(() => Number.NaN), 1]);
    const moment = { ...spec("d", "FP64", [-1]), ...cells("datetime", "MM/DD/YY") };
    expect(days(["1/2/70", "1/1/70 1:00 AM"], moment)).toEqual([86400, 3600]);
    const compact = { ...spec("d", "FP64", [-1]), ...cells("date", "YYYYMMDD") };
    expect(days(["20240229", 20240229, 3], compact)).toEqual([19782, 19782, 3]);
    const word = { ...spec("d", "BYTES", [-1]), ...cells("category", "DD.MM.YYYY") };
    const [texts] = decode({ inputs: ["29.02.2024", "2024-02-29", "31.02.2024"].map((d) => ({ d })) }, word);
    expect(stringElements(texts?.bytes as Uint8Array)).toEqual(["2024-02-29", "2024-02-29", ""]);
  });

  it.each([
    ["FP16", 1.5, null],
    ["BF16", 1.5, null],
    ["FP32", 16777216, null],
    ["FP64", 0.1, null],
    ["UINT8", 255, 256],
    ["UINT16", 65535, -1],
    ["UINT32", 4294967295, 1.5],
    ["UINT64", 18446744073709551615n, -1],
    ["INT8", -128, 128],
    ["INT16", -32768, "1"],
    ["INT32", 2147483647, 2147483648],
    ["INT64", -9223372036854775808n, 9223372036854775808n],
    ["BOOL", true, 2],
  ])("takes rows for %s inputs, true for 1, and says which cell does not fit", (datatype, value, bad) => {
    const x = spec("x", datatype, [-1]);
    const [tensor] = decodeText(`{"inputs":[{"x":${value}},{"x":true}]}`, x);
    const elements = elementsOf(datatype as "FP64", tensor?.bytes as Uint8Array) as ArrayLike<number | bigint>;
    const shown = Array.from(elements, (element) => (datatype === "FP16" ? fromFp16(Number(element)) : element));
    if (datatype !== "BF16" && datatype !== "FP16") expect(shown[0]).toEqual(datatype === "BOOL" ? 1 : value);
    if (datatype === "FP16") expect(shown).toEqual([1.5, 1]);
    if (bad !== null) {
      const cell = typeof bad === "string" ? JSON.stringify(bad) : bad;
      expect(() => decodeText(`{"inputs":[{"x":${value}},{"x":${cell}}]}`, x)).toThrow(/Row 2, column "x"/);
      expect(() => decodeText(`{"inputs":[{"x":NaN}]}`, x)).toThrow(/Row 1, column "x".* NaN/);
    }
  });

  it("takes a list a row for inputs of more axes", () => {
    const inputs = [spec("v", "FP32", [-1, 3]), spec("w", "FP32", [-1, 2, 1])];
    const [v, w] = decode(
      {
        inputs: [
          { v: [1, 2, 3], w: [1, 2] },
          { w: [[3], [4]], v: null },
        ],
      },
      ...inputs,
    );
    expect([v?.shape, w?.shape]).toEqual([
      [2, 3],
      [2, 2, 1],
    ]);
    expect(numbers(v)).toEqual([1, 2, 3, Number.NaN, Number.NaN, Number.NaN]);
    const free = spec("ids", "FP32", [-1, -1]);
    expect(() => decode({ inputs: [{ ids: [1, 2] }, { ids: [1] }] }, free)).toThrow(/Row 2 has "ids" of shape \[1\]/);
    expect(() => decode({ inputs: [{ ids: [1, 2] }, { ids: null }] }, free)).toThrow(/Row 2, column "ids"/);
  });

  it("leaves optional inputs to their defaults, for all rows or for none", () => {
    const inputs = [spec("a", "FP32", [-1]), spec("k", "FP32", [-1], true)];
    expect(decode({ inputs: [{ a: 1 }, { a: 2 }] }, ...inputs)).toHaveLength(1);
    expect(decode({ inputs: [{ a: 1, k: 2 }] }, ...inputs)).toHaveLength(2);
    expect(() => decode({ inputs: [{ a: 1 }, { a: 2, k: 2 }] }, ...inputs)).toThrow(/Row 1, column "k"/);
  });

  it("takes null for an optional input as left out, in rows as by name", () => {
    for (const datatype of ["FP32", "INT64", "BYTES"]) {
      const inputs = [spec("a", "FP32", [-1]), spec("k", datatype, [-1], true)];
      expect(decode({ inputs: [{ a: 1, k: null }, { a: 2 }] }, ...inputs)).toHaveLength(1);
      expect(decode({ inputs: { a: [1], k: null } }, ...inputs)).toHaveLength(1);
    }
    const inputs = [spec("a", "FP32", [-1]), spec("k", "FP32", [-1, 1], true)];
    expect(() =>
      decode(
        {
          inputs: [
            { a: 1, k: null },
            { a: 2, k: 2 },
          ],
        },
        ...inputs,
      ),
    ).toThrow(/Row 1, column "k"/);
  });

  it("refuses numbers that no double holds instead of taking them for infinity", () => {
    for (const datatype of ["FP16", "BF16", "FP32", "FP64"]) {
      const a = spec("a", datatype, [-1]);
      for (const number of ["1e400", "-1e309", `1${"0".repeat(400)}`]) {
        expect(() => decodeText(`{"inputs":[${number}]}`, a)).toThrow(/is -?1[e0]/);
        expect(() => decodeText(`{"inputs":[{"a":${number}}]}`, a)).toThrow(/is -?1[e0]/);
      }
    }
    expect(numbers(decodeText('{"inputs":[Infinity,-Infinity,1e308]}', spec("a", "FP64", [-1]))[0])).toEqual([
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      1e308,
    ]);
  });

  it("refuses numbers in a column of true and false, and booleans in a column of days", () => {
    const cells = { kind: "boolean", missing: ["-1"], trueWords: ["yes"], falseWords: ["no"] } as const;
    for (const datatype of ["FP32", "INT8"]) {
      const flag = { ...spec("flag", datatype, [-1]), cells };
      for (const cell of ["2", "0.5", '"2"', '"1e3"', "Infinity", '"Infinity"']) {
        expect(() => decodeText(`{"inputs":[{"flag":${cell}}]}`, flag)).toThrow(/Row 1, column "flag"/);
      }
      const given = '{"inputs":[{"flag":1},{"flag":0.0},{"flag":"1"},{"flag":" Yes "},{"flag":false}]}';
      expect(Array.from(elementsOf(datatype as "FP32", decodeText(given, flag)[0]?.bytes as Uint8Array))).toEqual([
        1, 0, 1, 1, 0,
      ]);
    }
    const gaps = { ...spec("flag", "FP32", [-1]), cells };
    expect(numbers(decodeText('{"inputs":[{"flag":-1},{"flag":NaN},{"flag":null}]}', gaps)[0])).toEqual([
      Number.NaN,
      Number.NaN,
      Number.NaN,
    ]);
    const day = {
      ...spec("day", "FP64", [-1]),
      cells: { kind: "date", missing: [], trueWords: [], falseWords: [] },
    } as const;
    expect(() => decodeText('{"inputs":[{"day":true}]}', day)).toThrow(/is a boolean/);
  });

  it("takes an empty list of rows, names special to JavaScript, and no name twice", () => {
    const a = spec("a", "FP32", [-1]);
    expect(decodePredict(Buffer.from('{"inputs":[]}'), { inputs: [a, a], outputs: [] }).isEmpty).toBe(true);
    expect(numbers(decodeText('{"inputs":[{"__proto__":3}]}', spec("__proto__", "FP32", [-1]))[0])).toEqual([3]);
    expect(() => decodeText('{"inputs":[{"a":1,"a":2}]}', a)).toThrow(/Row 1 names "a" twice/);
    expect(() => decodeText('{"inputs":{"a":1,"a":2}}', a)).toThrow(/"a" twice/);
    expect(numbers(decodeText('{"inputs":[{"\\u0061":4}]}', a)[0])).toEqual([4]);
  });

  it("takes n values for [-1,1] as n rows, and null as absent", () => {
    const age = spec("age", "FP32", [-1, 1]);
    expect(decode({ inputs: { age: [40, 22] } }, age)[0]?.shape).toEqual([2, 1]);
    expect(decode({ inputs: { age: 40 } }, age)[0]?.shape).toEqual([1, 1]);
    expect(decode({ inputs: ["text one", "text two"] }, spec("t", "BYTES", [-1, 1]))[0]?.shape).toEqual([2, 1]);
    expect(decode({ inputs: [1, 2], text: null }, spec("x", "FP32", [-1, 2]))[0]?.shape).toEqual([1, 2]);
  });

  it("takes NaN and infinities bare, as Python writes them, for floating point inputs", () => {
    const x = spec("x", "FP32", [-1]);
    const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
    expect(numbers(decodeText('{"inputs": [NaN, Infinity, -Infinity, null]}', x)[0])).toEqual(values);
    expect(() => decodeText('{"inputs": [NaN]}', spec("x", "INT32", [-1]))).toThrow(/is NaN/);
  });

  it("bounds what few characters can become", () => {
    const body = Buffer.from(`{"inputs":[${"0,".repeat(1000)}0]}`);
    const signature = { inputs: [spec("x", "FP64", [-1])], outputs: [] };
    expect(() => decodePredict(body, signature, "", "", 4000)).toThrow(/more than 4000 bytes/);
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
    expect(answer(fp32("a", [0]), fp32("b", [0, 1]))).toEqual([]);
  });

  it("pairs no axes that happen to be as long as each other: whole outputs, whatever the rows", () => {
    for (const rows of [1, 2, 3]) {
      const states = fp32("state", [3, rows], ...Array.from({ length: 3 * rows }, (_, i) => i));
      const [only, ...more] = whole(false, [fp32("y", [rows], ...new Array(rows).fill(1)), states]).predictions;
      expect(more).toEqual([]);
      expect(only.y).toHaveLength(rows);
      expect(only.state).toHaveLength(3);
    }
  });

  it("names the classes beside the predictions, in the order of the scores", () => {
    const outputs = [fp32("label", [2], 0, 1), fp32("probabilities", [2, 2], 1, 0, 0, 1)];
    expect(whole(true, outputs, { probabilities: ["no", "yes"], label: ["x"] })).toEqual({
      predictions: [
        { label: 0, probabilities: [1, 0] },
        { label: 1, probabilities: [0, 1] },
      ],
      classes: { probabilities: ["no", "yes"] },
    });
    expect(whole(true, [fp32("y", [1, 2], 1, 0)], { y: ["a", "b"] })).toEqual({
      predictions: [[1, 0]],
      classes: { y: ["a", "b"] },
    });
  });
});
