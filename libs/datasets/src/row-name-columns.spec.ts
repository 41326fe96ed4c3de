import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { type DatasetFormat, type DatasetOptions, memoryFile, openDataset, profileDataset, valueAt } from "./index.ts";

/** The columns of a table as it is kept after a push, with their values, and what is said of it. */
async function read(format: DatasetFormat, content: string | Uint8Array, options: Partial<DatasetOptions> = {}) {
  const file = memoryFile(Buffer.from(content));
  const { schema, warnings } = await profileDataset({ format, file, ...options });
  const dataset = await openDataset({ format, file, schema });
  const table: Record<string, unknown[]> = {};
  for await (const batch of dataset.batches({ batchRows: 2 })) {
    for (const [name, column] of batch.columns) {
      table[name] = [...(table[name] ?? []), ...Array.from({ length: batch.rows }, (_, row) => valueAt(column, row))];
    }
  }
  return { table, warnings };
}

const fixture = (name: string) => readFile(new URL(`./parquet/fixtures/${name}.parquet`, import.meta.url));

const keepHint = "Keep it with --keep-index (in the API: read.keep_index).";
const x = { x: [1.5, 2.5, 3.5] };

describe("the index of pandas in Parquet", () => {
  it("is left out, and that is said", async () => {
    expect(await read("parquet", await fixture("pandas-index"))).toEqual({
      table: x,
      warnings: [
        `Column "__index_level_0__" is the index that pandas wrote; it names rows and is left out. ${keepHint}`,
      ],
    });
  });

  it("of several levels, with names and without, is left out", async () => {
    const { table, warnings } = await read("parquet", await fixture("pandas-multi-index"));
    expect(table).toEqual(x);
    expect(warnings.map((w) => w.split(" ")[1])).toEqual(['"who"', '"__index_level_1__"']);
  });

  it("that only counts is no column", async () => {
    expect(await read("parquet", await fixture("pandas-range-index"))).toEqual({ table: x, warnings: [] });
  });

  it("stays when that is asked for, or when it is declared", async () => {
    const bytes = await fixture("pandas-index");
    expect((await read("parquet", bytes, { keepIndex: true })).table).toEqual({ ...x, __index_level_0__: [2, 0, 1] });
    const types = new Map([["__index_level_0__", "string"] as const]);
    expect((await read("parquet", bytes, { types })).table).toEqual({ ...x, __index_level_0__: ["2", "0", "1"] });
  });

  it("is read in versions that were made with it", async () => {
    const schema = { columns: [{ name: "__index_level_0__", type: "number" as const }] };
    const dataset = await openDataset({ format: "parquet", file: memoryFile(await fixture("pandas-index")), schema });
    for await (const { columns } of dataset.batches({ batchRows: 3 })) {
      expect(columns.get("__index_level_0__")?.values).toEqual(Float64Array.of(2, 0, 1));
    }
  });
});

const tabs = (text: string) => text.replaceAll(",", "\t");

describe.each([
  ["csv", (text: string) => text],
  ["tsv", tabs],
] as const)("row names in %s", (format, written) => {
  it.each([
    ["count from 0, as pandas writes them", ",x,y\n0,1,2\n1,2,4\n2,3,6\n", "0"],
    ["count from 1 and are quoted, as R writes them", '"","x","y"\n"1",1,2\n"2",2,4\n"3",3,6\n', "1"],
    ["are in disorder", ",x,y\n7,1,2\n3,2,4\n5,3,6\n", "3"],
    ["are names", ",x,y\nMazda,1,2\nDatsun,2,4\nFiat,3,6\n", "Datsun"],
    ["have no place in the header, as R writes them", '"x","y"\n"1",1,2\n"2",2,4\n"3",3,6\n', "1"],
  ])("that %s are left out, and that is said", async (_, text, example) => {
    expect(await read(format, written(text))).toEqual({
      table: { x: [1, 2, 3], y: [2, 4, 6] },
      warnings: [
        `The first column has no name and another value in every row, such as "${example}": it names rows and is left out. ${keepHint}`,
      ],
    });
  });

  it("stay when that is asked for, or when they are declared", async () => {
    const text = written(",x\n5,1\n6,2\n");
    expect((await read(format, text, { keepIndex: true })).table).toEqual({ column_1: [5, 6], x: [1, 2] });
    const types = new Map([["column_1", "string"] as const]);
    expect((await read(format, text, { types })).table).toEqual({ column_1: ["5", "6"], x: [1, 2] });
  });
});

describe("a column without a name", () => {
  it.each([
    ["that has a value twice", ",x\n1,1\n1,2\n", { column_1: [1, 1], x: [1, 2] }],
    ["of measurements", ",x\n0.5,1\n0.7,2\n", { column_1: [0.5, 0.7], x: [1, 2] }],
    ["that is not the first", "x,,y\n1,7,2\n2,8,4\n", { x: [1, 2], column_2: [7, 8], y: [2, 4] }],
    ["beside one of that name", "x,,column_2\n1,7,2\n2,8,4\n", { x: [1, 2], column_2_: [7, 8], column_2: [2, 4] }],
  ])("%s gets one, and that is said", async (_, text, table) => {
    const found = await read("csv", text);
    expect(found.table).toEqual(table);
    expect(found.warnings).toContainEqual(
      expect.stringMatching(/^Column [12] has no name; it is called "column_[12]_?"\.$/),
    );
  });

  it("and without a value is left out, as spreadsheets write them", async () => {
    expect(await read("csv", "x,y,\n1,2,\n2,4,\n")).toEqual({
      table: { x: [1, 2], y: [2, 4] },
      warnings: ["Column 3 has neither a name nor a value and is left out."],
    });
  });

  it("stays when it is all there is", async () => {
    expect((await read("tsv", "\t\n1\t\n2\t\n")).table).toEqual({ column_1: [1, 2] });
  });

  it("is not made of a number with thousands separators", async () => {
    await expect(read("csv", "price,n\n1,234,5\n2,345,6\n")).rejects.toThrow("there are 3 cells, but the header has 2");
  });
});
