import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { memoryFile, profileDataset } from "../index.ts";
import { wholeTable } from "../whole-table.fixture.ts";

const fixture = (name: string) => readFile(new URL(`./fixtures/${name}`, import.meta.url));
const gap = undefined;

describe("a Feather file", () => {
  it.each(["uncompressed", "lz4", "zstd"])("that pyarrow wrote with %s has its values in every type", async (codec) => {
    const { table, warnings, format } = await wholeTable(await fixture(`pyarrow-${codec}.feather`));
    expect(format).toBe("arrow");
    expect(table).toEqual({
      i64: ["1", gap, "9007199254740993"],
      u8: [1, 2, 255],
      f32: [0.5, gap, -1.25],
      f16: [1.5, 2.5, gap],
      f64: [0.1, 1e300, gap],
      s: ["é,\n", gap, ""],
      ls: ["x", gap, "zz"],
      d: ["a", "b", "a"],
      b: [true, gap, false],
      day: ["2024-02-29", gap, "1969-12-31"],
      ts: ["2024-02-01T10:00:01.5Z", gap, "1969-12-31T23:59:59Z"],
      dec: [1.5, gap, -0.01],
      list_0: [1, 3, gap],
      list_1: [2, 4, gap],
      u64: ["1", "9223372036854775813", gap],
      n: [gap, gap, gap],
    });
    expect(warnings[0]).toContain('Column "st" holds objects, which no model takes; it is left out.');
  });

  it("of buffers so long that LZ4 divides them is read whole", async () => {
    const file = memoryFile(await fixture("pyarrow-lz4-blocks.feather"));
    const { rows, columns } = await profileDataset({ format: "arrow", file });
    const mean = Array.from({ length: 30_000 }, (_, i) => (i * i) % 97).reduce((a, b) => a + b) / 30_000;
    expect(rows).toBe(30_000);
    expect(columns[0]?.statistics).toMatchObject({ maximum: 96, mean: expect.closeTo(mean, 8) });
    expect(columns[1]).toMatchObject({ name: "w", distinct: { count: 11 } });
  });

  it("of polars has its texts and categories, and is without its bytes", async () => {
    expect((await wholeTable(await fixture("polars.arrow"))).table).toEqual({
      a: [1, gap, 3],
      s: ["x", "y", gap],
      c: ["u", "v", "u"],
    });
    const { table, warnings } = await wholeTable(await fixture("polars-views.arrow"));
    expect(table).toEqual({
      s: ["short", "a text of more than twelve bytes", gap, "another text of more than twelve"],
    });
    expect(warnings[0]).toContain('Column "x" holds objects');
  });

  it("is without the index that pandas wrote, unless it is kept", async () => {
    const bytes = await fixture("pandas-index.feather");
    expect(await wholeTable(bytes)).toMatchObject({
      table: { a: [1.5, 2.5, 3.5], b: ["x", "y", "z"] },
      warnings: [expect.stringContaining('Column "__index_level_0__" is the index that pandas wrote')],
    });
    expect((await wholeTable(bytes, { keepIndex: true })).table).toMatchObject({ __index_level_0__: [7, 3, 5] });
  });

  it("has columns that are chosen, renamed and typed", async () => {
    const bytes = await fixture("pyarrow-lz4.feather");
    const types = new Map([["dec", "string"]] as const);
    const choices = { columns: ["dec", "list"], rename: new Map([["dec", "price"]]), types };
    expect((await wholeTable(bytes, choices)).table).toEqual({
      list_0: [1, 3, gap],
      list_1: [2, 4, gap],
      price: ["1.50", gap, "-0.01"],
    });
    const exact = wholeTable(bytes, { types: new Map([["i64", "number"]]) });
    await expect(exact).rejects.toThrow('Row 3, column "i64": "9007199254740993" is an integer beyond 2^53');
  });

  it("that is cut off is refused, wherever it is", async () => {
    const bytes = await fixture("pyarrow-zstd.feather");
    for (let length = 8; length < bytes.length; length += 97) {
      const work = wholeTable(bytes.subarray(0, length));
      await expect(work).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("cut off"),
      });
    }
  });

  it("of batches larger than may be is refused by that limit, with how to write it", async () => {
    const work = wholeTable(await fixture("pyarrow-lz4-blocks.feather"), { limits: { arrowBatchBytes: 100_000 } });
    await expect(work).rejects.toMatchObject({
      reason: "DATASET_LIMIT",
      field: "arrowBatchBytes",
      remedy: expect.stringContaining("chunksize=65536"),
    });
  });
});
