import { describe, expect, it } from "vitest";
import { type Limits, memoryFile, profileDataset } from "../index.ts";
import { wholeTable } from "../whole-table.fixture.ts";
import { arrowOf, type FlatNode, type FlatValue, type WrittenArrow } from "./arrow-writer.fixture.ts";

const [wholeNumber, text, decimal, date, moment, struct, views] = [2, 5, 7, 8, 10, 13, 24];
const int = (bits: number): FlatNode => ({ table: { 0: { int: bits }, 1: { byte: 1 } } });

function field(
  name: string,
  kind = text,
  type: FlatNode = { table: {} },
  more: Record<number, FlatValue> = {},
): FlatNode {
  return { table: { 0: { text: name }, 2: { byte: kind as number }, 3: type, ...more } };
}

const inDictionary = (name: string, kind = text): FlatNode =>
  field(name, kind, { table: {} }, { 4: { table: { 0: { long: 7n }, 1: int(32) } } });

const ints = (...values: readonly number[]) => new Uint8Array(Int32Array.from(values).buffer);
const longs = (...values: readonly bigint[]) => new Uint8Array(BigInt64Array.from(values).buffer);
const none = new Uint8Array(0);
const profile = (written: WrittenArrow, limits: Partial<Limits> = {}) =>
  profileDataset({ format: "arrow", file: memoryFile(arrowOf(written)), limits });

describe("an Arrow file", () => {
  it("that is written for these tests is read", async () => {
    const written: WrittenArrow = {
      fields: [field("n", wholeNumber, int(32)), field("t"), inDictionary("d"), field("v", views)],
      dictionaries: [{ id: 7, rows: 2, nodes: [2], buffers: [none, ints(0, 1, 3), Buffer.from("xyz")] }],
      batches: [
        {
          rows: 2,
          nodes: [2, 2, 2, 2],
          buffers: [
            none,
            ints(4, 5),
            none,
            ints(0, 1, 2),
            Buffer.from("ab"),
            none,
            ints(1, 0),
            none,
            ints(1, 97, 0, 0, 1, 98, 0, 0),
          ],
          views: [0],
        },
      ],
    };
    expect((await wholeTable(arrowOf(written))).table).toEqual({
      n: [4, 5],
      t: ["a", "b"],
      d: ["yz", "x"],
      v: ["a", "b"],
    });
  });

  it("whose descriptions share one text, or tables of tables, is refused before they are read", async () => {
    const long = { text: "x".repeat(10_000) };
    const metadata = Array.from({ length: 2000 }, (): FlatNode => ({ table: { 0: long, 1: long } }));
    await expect(profile({ fields: [field("a")], metadata })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "The Arrow file is damaged: its descriptions refer to the same parts again and again.",
    });
    let tree = field("leaf");
    for (let depth = 0; depth < 30; depth++) tree = field("s", struct, { table: {} }, { 5: { tables: [tree, tree] } });
    await expect(profile({ fields: [tree] })).rejects.toMatchObject({ code: "INVALID_ARGUMENT", reason: "BAD_FILE" });
  });

  it("of endlessly many fields within columns is refused by the limit of columns", async () => {
    const children = { tables: Array.from({ length: 100 }, (_, i) => field(`f${i}`)) };
    const fields = [field("s", struct, { table: {} }, { 5: children })];
    await expect(profile({ fields }, { columns: 10 })).rejects.toMatchObject({
      field: "columns",
      message: "The file has at least 81 fields within columns; the limit is 10.",
    });
  });

  it("that names one batch again and again is refused", async () => {
    const batches = [{ rows: 1, nodes: [1], buffers: [none, ints(5)] }];
    const written = { fields: [field("n", wholeNumber, int(32))], batches };
    expect((await profile(written)).rows).toBe(1);
    await expect(profile({ ...written, times: 1000 })).rejects.toThrow("its batches overlap");
  });

  it("whose dictionary is the same bytes again and again is refused by what it would hold", async () => {
    const length = 10_000;
    const buffers = [
      none,
      ints(...Array.from({ length: 1000 }, () => [length, 0, 0, 0]).flat()),
      Buffer.alloc(length, "x"),
    ];
    const dictionaries = [{ id: 7, rows: 1000, nodes: [1000], buffers, views: [1] }];
    const batches = [{ rows: 1, nodes: [1], buffers: [none, ints(0)] }];
    const written = { fields: [inDictionary("d", views)], dictionaries, batches };
    expect((await profile(written)).rows).toBe(1);
    await expect(profile(written, { arrowBatchBytes: 1_000_000 })).rejects.toMatchObject({
      reason: "DATASET_LIMIT",
      field: "arrowBatchBytes",
      message: "The dictionaries have at least 1,002,600 bytes; the limit is 1,000,000.",
    });
  });

  it("whose rows repeat a long text is refused at its first row, before others are made", async () => {
    const rows = 256;
    const fields = Array.from({ length: 100 }, (_, i) => inDictionary(`d${i}`));
    const dictionaries = [{ id: 7, rows: 1, nodes: [1], buffers: [none, ints(0, 25_000), Buffer.alloc(25_000, "x")] }];
    const buffers = fields.flatMap(() => [none, new Uint8Array(4 * rows)]);
    const batches = [{ rows, nodes: fields.map(() => rows), buffers }];
    await expect(profile({ fields, dictionaries, batches }, { rowBytes: 1_000_000 })).rejects.toMatchObject({
      reason: "DATASET_LIMIT",
      field: "rowBytes",
      message: expect.stringMatching(/^Row 1 has at least 1,0\d\d,\d{3} bytes/),
    });
  });

  it.each([
    ["places", 400_000_000, 128],
    ["fewer than no places", -40_000_000, 128],
    ["bits", 2, 1 << 30],
  ])("with decimals of endlessly many %s is refused in time", async (_, scale, bits) => {
    const type: FlatNode = { table: { 0: { int: 38 }, 1: { int: scale }, 2: { int: bits } } };
    const batches = [{ rows: 1, nodes: [1], buffers: [none, longs(5n, 0n)] }];
    const startedAt = performance.now();
    await expect(profile({ fields: [field("d", decimal, type)], batches })).rejects.toMatchObject({
      reason: "BAD_FILE",
    });
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });

  it("with a text longer than may be is refused by its column", async () => {
    const batches = [{ rows: 1, nodes: [1], buffers: [none, ints(0, 2000), Buffer.alloc(2000, "x")] }];
    await expect(profile({ fields: [field("t")], batches }, { cellBytes: 1000 })).rejects.toMatchObject({
      field: "cellBytes",
      message: 'Column "t" has a value of 2,000 bytes; the limit is 1,000.',
    });
  });

  it("with days and moments that no calendar has is refused as Parquet is, by row and column", async () => {
    const beyond = 2n ** 63n - 1n;
    const batches = [{ rows: 2, nodes: [2, 2], buffers: [none, longs(0n, 0n), none, longs(5n, beyond)] }];
    const fields = [
      field("d", date, { table: { 0: { short: 1 } } }),
      field("at", moment, { table: { 0: { short: 1 } } }),
    ];
    await expect(profile({ fields, batches })).rejects.toMatchObject({
      reason: "BAD_CELL",
      message: `Row 2, column "at": the date ${beyond} lies outside the calendar.`,
      remedy: "Write a date before the year 275760, or null.",
    });
    const days = [{ rows: 2, nodes: [2], buffers: [none, ints(0, 2 ** 31 - 1)] }];
    const day = field("d", date, { table: { 0: { short: 0 } } });
    await expect(profile({ fields: [day], batches: days })).rejects.toThrow(
      'Row 2, column "d": the date 2147483647 lies outside the calendar.',
    );
    const dictionaries = [{ id: 7, rows: 1, nodes: [1], buffers: [none, longs(beyond)] }];
    const indices = [{ rows: 1, nodes: [1], buffers: [none, ints(0)] }];
    await expect(profile({ fields: [inDictionary("at", moment)], dictionaries, batches: indices })).rejects.toThrow(
      `In a dictionary of the Arrow file, the date ${beyond} lies outside the calendar.`,
    );
  });
});
