import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { detectFormat, memoryFile, profileDataset } from "../index.ts";
import { wholeTable } from "../whole-table.fixture.ts";

/** Without what is said of columns of one value. */
async function read(...file: Parameters<typeof wholeTable>) {
  const { schema: _, warnings, ...found } = await wholeTable(...file);
  return { ...found, warnings: warnings.filter((warning) => !warning.includes("same value")) };
}

const expected = { a: [1, 2.5, undefined], "b,": ["x", "é\n", "[{"] };

/** What pandas 3.1 writes of the same table, by the orientation. */
const written: Readonly<Record<string, string>> = {
  records: '[{"a":1.0,"b,":"x"},{"a":2.5,"b,":"\\u00e9\\n"},{"a":null,"b,":"[{"}]',
  "records, indented":
    '[\n    {\n        "a":1.0,\n        "b,":"x"\n    },\n {"a":2.5,\r\n"b,":"é\\n"},{"a":null,"b,":"[{"}\n]\n',
  columns: '{"a":{"0":1.0,"1":2.5,"2":null},"b,":{"0":"x","1":"\\u00e9\\n","2":"[{"}}',
  "columns, indented": '{\n "a":{\n"0":1.0,\n"1":2.5,\n"2":null\n},\n"b,":{"0":"x","1":"é\\n","2":"[{"}}',
  index: '{"0":{"a":1.0,"b,":"x"},"1":{"a":2.5,"b,":"\\u00e9\\n"},"2":{"a":null,"b,":"[{"}}',
  split: '{"columns":["a","b,"],"index":[0,1,2],"data":[[1.0,"x"],[2.5,"\\u00e9\\n"],[null,"[{"]]}',
  "split by to_dict":
    '{"index": [0, 1, 2], "columns": ["a", "b,"], "data": [[1.0, "x"], [2.5, "\\u00e9\\n"], [null, "[{"]]}',
  tight:
    '{"index": [0, 1, 2], "columns": ["a", "b,"], "data": [[1.0, "x"], [2.5, "\\u00e9\\n"], [null, "[{"]], "index_names": [null], "column_names": [null]}',
  list: '{"a": [1.0, 2.5, null], "b,": ["x", "é\\n", "[{"]}',
  "objects one after another": '{\n  "a": 1.0,\n  "b,": "x"\n}\n{\n  "a": 2.5, "b,": "é\\n"}{"a": null, "b,": "[{"}',
  "data alone": '{"data": [{"a":1.0,"b,":"x"},{"a":2.5,"b,":"é\\n"},{"a":null,"b,":"[{"}]}',
};

describe("a table in JSON", () => {
  it.each(Object.entries(written))("of the orientation %s has its rows", async (_, text) => {
    expect(await read(text)).toEqual({ format: "json", rows: 3, table: expected, warnings: [] });
    expect(await read(gzipSync(`\ufeff${text}`))).toMatchObject({ format: "json", table: expected });
  });

  it("that pandas wrote with its Table Schema is without the index, unless it is kept", async () => {
    const text =
      '{"schema":{"fields":[{"name":"index","type":"integer"},{"name":"a","type":"number"}],"primaryKey":["index"],"pandas_version":"1.4.0"},"data":[{"index":5,"a":1},{"index":6,"a":2}]}';
    expect(await read(text)).toMatchObject({
      table: { a: [1, 2] },
      warnings: [expect.stringContaining('"index" is the index that pandas wrote')],
    });
    expect((await read(text, { keepIndex: true })).table).toEqual({ index: [5, 6], a: [1, 2] });
    expect((await read(text, { columns: ["index"] })).table).toEqual({ index: [5, 6] });
  });

  it("by columns whose rows have names is without them, and that is said", async () => {
    expect(await read('{"a":{"Bo":1,"Li":2},"b":{"Bo":"x","Li":"y"}}')).toEqual({
      format: "json",
      rows: 2,
      table: { a: [1, 2], b: ["x", "y"] },
      warnings: [expect.stringContaining('The rows have names, such as "Bo"')],
    });
  });

  it("of columns that are numbers has them as names", async () => {
    expect((await read('{"0":{"0":1,"1":2,"2":3},"1":{"0":4,"1":5,"2":6}}')).table).toEqual({
      0: [1, 2, 3],
      1: [4, 5, 6],
    });
    expect((await read('{"columns":[0,1],"index":[0],"data":[[1,2]]}')).table).toEqual({ 0: [1], 1: [2] });
  });

  it("has numbers to the last digit, as JSON Lines have", async () => {
    const text = '[{"v":9007199254740993},{"v":1.10}]';
    expect((await read(text)).table).toEqual({ v: ["9007199254740993", "1.10"] });
    expect((await read('{"v":{"0":9007199254740993,"1":1.10}}')).table).toEqual({ v: ["9007199254740993", "1.10"] });
    expect((await read('[{"v":1.10},{"v":1}]', { types: new Map([["v", "string"]]) })).table).toEqual({
      v: ["1.10", "1"],
    });
    await expect(read('[{"v":9007199254740993}]', { types: new Map([["v", "number"]]) })).rejects.toThrow(
      /^Row 1, column "v"/,
    );
  });

  it("has columns that are chosen, renamed and typed", async () => {
    for (const text of Object.values(written)) {
      const choices = { columns: ["a"], rename: new Map([["a", "n"]]), types: new Map([["a", "string"]] as const) };
      expect((await read(text, choices)).table).toEqual({ n: ["1.0", "2.5", undefined] });
    }
  });

  it("leaves out objects and spreads lists, as JSON Lines do", async () => {
    const { table } = await read('[{"a":1,"o":{"x":[1]},"l":[1,2]},{"a":2,"o":{},"l":[3,4]}]');
    expect(table).toEqual({ a: [1, 2], l_0: [1, 3], l_1: [2, 4] });
  });

  it("of many rows is read row by row, in whatever blocks they come", async () => {
    const rows = Array.from({ length: 40_000 }, (_, i) => ({ i, s: "ü{".repeat(i % 30), o: { p: [i] } }));
    const limits = { jsonTableBytes: 1000, rowBytes: 2000 };
    for (const text of [
      JSON.stringify(rows),
      JSON.stringify(rows, undefined, 1),
      rows.map((row) => JSON.stringify(row, undefined, 1)).join("\n"),
    ])
      expect((await read(text, { limits })).rows).toBe(40_000);
  });

  it.each([
    ["is cut off", '[{"a":1},{"a":', "The JSON is cut off."],
    ["is cut off between rows", '[{"a":1},', "The JSON is cut off."],
    ["has a comma behind its last row", '[{"a":1},]', 'there is "]" instead of a value'],
    ["has two commas between rows", '[{"a":1},,{"a":2}]', 'there is "," instead of a value'],
    ["has a comma behind its last column", '{"a":[1],}', "or a comma is too many"],
    ["has a comma before its first column", '{ ,"a":[1]}', "or a comma is too many"],
    ["has a comma behind the last value of a row", '{"columns":["a"],"data":[[1,]]}', "or a comma is too many"],
    ["closes a row with another bracket", '{"columns":["a"],"data":[[1}]}', "a bracket or a value is missing"],
    [
      "has an index, and a row that is no object",
      '{"schema":{"primaryKey":["i"]},"data":[{"i":0,"a":1},3]}',
      "Row 2: this is no object.",
    ],
    ["lacks a comma", '[{"a":1} {"a":2}]', 'there is "{" instead of , or ]'],
    ["goes on after its end", '[{"a":1}] x', "Something follows"],
    ["has a row that is no object", '[{"a":1},3]', "Row 2: this is no object."],
    ["has no rows", "[]", "The file has no rows."],
    ["has rows without names", "[[1,2],[3,4]]", "Row 1 is a list, and the file does not name its columns."],
    [
      "has a row with too few values",
      '{"columns":["a","b"],"data":[[1,2],[3]]}',
      "Row 2 has 1 values, but the file names 2",
    ],
    [
      "has columns of different lengths",
      '{"a":[1,2],"b":[3]}',
      'Columns "a" and "b" have different rows from row 2 on.',
    ],
    ["has columns of different rows", '{"a":{"0":1},"b":{"1":3}}', 'Columns "a" and "b" have different rows'],
    ["has a line break in a text", '[{"a":"x\ny"}]', "is not JSON"],
    ["has names of several levels", '{"columns":[["a","b"]],"index":[0],"data":[[1]]}', "which is no text"],
    ["has a name twice", '{"columns":["a","a"],"index":[0],"data":[[1,2]]}', "a name occurs twice"],
    ["is not UTF-8", Buffer.from('{"a":["\xff"]}', "latin1"), "not UTF-8"],
  ])("that %s is refused with a sentence that says so", async (_, text, sentence) => {
    const file = memoryFile(Buffer.from(text));
    const refused = { code: "INVALID_ARGUMENT", message: expect.stringContaining(sentence) };
    await expect(profileDataset({ format: "json", file })).rejects.toMatchObject(refused);
  });

  it("that must be held in memory is bounded, and is told how to be read row by row", async () => {
    const text = JSON.stringify({ a: Array.from({ length: 5000 }, (_, i) => i) });
    await expect(read(text, { limits: { jsonTableBytes: 10_000, rowBytes: 1000 } })).rejects.toMatchObject({
      reason: "DATASET_LIMIT",
      field: "jsonTableBytes",
      remedy: expect.stringContaining('orient="records"'),
    });
    const long = JSON.stringify([{ a: "x".repeat(5000) }]);
    await expect(read(long, { limits: { rowBytes: 1000 } })).rejects.toMatchObject({ field: "rowBytes" });
  });
});

describe("the format of JSON", () => {
  it.each([
    ['{"a": {"b": 1}}\n{"a": {"b": 2}}\n', "json-lines"],
    ['{"a": [1, 2]}\r\n{"a": [3, 4]}', "json-lines"],
    ['{"a": 1, "b": {"c": 2}}', "json-lines"],
    ['{"a": {"0": 1}}\n', "json"],
    ['  [\n{"a": 1}]', "json"],
    ['{ "a": [1, 2] }', "json"],
  ])("%j is %s", async (text, format) => {
    expect(await detectFormat(memoryFile(Buffer.from(text)))).toBe(format);
  });

  it("is told where another is named", async () => {
    const file = memoryFile(Buffer.from('[{"a":1}]'));
    for (const format of ["csv", "json-lines"] as const) {
      await expect(profileDataset({ format, file })).rejects.toMatchObject({
        message: "The file is JSON whose rows are not lines.",
        remedy: expect.stringContaining("json"),
      });
    }
  });
});
