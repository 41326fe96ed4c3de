import { readFile } from "node:fs/promises";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { AimassError } from "@aimass/core";
import fc from "fast-check";
import { type ColumnSource, parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import { type DatasetSchema, type Limits, memoryFile, openDataset, profileDataset, valueAt } from "../index.ts";

type WriteOptions = Omit<Parameters<typeof parquetWriteBuffer>[0], "columnData">;

const compressors = { GZIP: gzipSync, ZSTD: zstdCompressSync, BROTLI: brotliCompressSync } as const;

function write(columnData: ColumnSource[], options: WriteOptions = {}): Uint8Array {
  return new Uint8Array(
    parquetWriteBuffer({ columnData, compressors, ...options } as Parameters<typeof parquetWriteBuffer>[0]),
  );
}

/** The values of every column, in order. */
async function read(
  bytes: Uint8Array,
  options: { schema?: DatasetSchema; batchRows?: number; limits?: Partial<Limits> } = {},
) {
  const { batchRows = 7, ...rest } = options;
  const dataset = await openDataset({ format: "parquet", file: memoryFile(bytes), ...rest });
  const values: Record<string, unknown[]> = {};
  for await (const batch of dataset.batches({ batchRows })) {
    for (const [name, column] of batch.columns) {
      values[name] ??= [];
      for (let row = 0; row < batch.rows; row++) values[name].push(valueAt(column, row));
    }
  }
  return { schema: dataset.schema, values };
}

const profileRefusal = async (bytes: Uint8Array) =>
  await profileDataset({ format: "parquet", file: memoryFile(bytes) }).then(
    () => expect.unreachable("the file was taken"),
    (error: unknown) => error as AimassError,
  );

const refusal = async (bytes: Uint8Array, limits: Partial<Limits> = {}, schema?: DatasetSchema) =>
  await read(bytes, { limits, ...(schema && { schema }) }).then(
    () => expect.unreachable("the file was taken"),
    (error: unknown) => {
      expect(error).toBeInstanceOf(AimassError);
      return error as AimassError;
    },
  );

const numbers = (count: number, of: (index: number) => number) => Float64Array.from({ length: count }, (_, i) => of(i));

describe("Parquet", () => {
  const row = fc.record({
    number: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }), { nil: null }),
    integer: fc.option(fc.maxSafeInteger(), { nil: null }),
    text: fc.option(fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("red", "green")), { nil: null }),
    truth: fc.option(fc.boolean(), { nil: null }),
  });

  it.each(["UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD", "BROTLI"] as const)(
    "gives back every table that was written with %s",
    async (codec) => {
      const scenario = fc.record({
        rows: fc.array(row, { minLength: 1, maxLength: 200 }),
        rowGroupSize: fc.integer({ min: 1, max: 100 }),
        pageSize: fc.constantFrom(16, 256, 100_000),
        batchRows: fc.integer({ min: 1, max: 50 }),
      });
      await fc.assert(
        fc.asyncProperty(scenario, async ({ rows, rowGroupSize, pageSize, batchRows }) => {
          const bytes = write(
            [
              { name: "number", data: rows.map((r) => r.number), type: "DOUBLE" },
              {
                name: "integer",
                data: rows.map((r) => (r.integer === null ? null : BigInt(r.integer))),
                type: "INT64",
              },
              { name: "text", data: rows.map((r) => r.text), type: "STRING" },
              { name: "truth", data: rows.map((r) => r.truth), type: "BOOLEAN" },
            ],
            { codec, rowGroupSize, pageSize },
          );
          const { values, schema } = await read(bytes, { batchRows });
          expect(schema.columns.map(({ type }) => type)).toEqual(["number", "number", "string", "boolean"]);
          for (const name of ["number", "integer", "text", "truth"] as const) {
            expect(values[name]).toEqual(rows.map((r) => r[name] ?? undefined));
          }
        }),
        { numRuns: 40 },
      );
    },
  );

  it.each([
    ["DELTA_BINARY_PACKED", "INT32"],
    ["DELTA_BINARY_PACKED", "INT64"],
    ["BYTE_STREAM_SPLIT", "DOUBLE"],
    ["BYTE_STREAM_SPLIT", "INT32"],
    ["DELTA_LENGTH_BYTE_ARRAY", "STRING"],
    ["DELTA_BYTE_ARRAY", "STRING"],
    ["RLE", "BOOLEAN"],
    ["PLAIN", "FLOAT"],
  ] as const)("reads %s of %s", async (encoding, type) => {
    const value = {
      INT32: fc.integer(),
      INT64: fc.maxSafeInteger(),
      DOUBLE: fc.double({ noNaN: true, noDefaultInfinity: true }),
      FLOAT: fc.float({ noNaN: true, noDefaultInfinity: true }),
      STRING: fc.string({ unit: fc.constantFrom("a", "b", "é", "🙂") }),
      BOOLEAN: fc.boolean(),
    }[type] as fc.Arbitrary<number | string | boolean>;
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 400 }), async (data) => {
        const stored = type === "INT64" ? data.map((x) => BigInt(x as number)) : data;
        const bytes = write([{ name: "x", data: stored, type, encoding, nullable: false }]);
        expect((await read(bytes)).values.x).toEqual(data);
      }),
      { numRuns: 60 },
    );
  });

  it("writes moments, days and ids as text and decimals as numbers", async () => {
    const bytes = write([
      { name: "moment", data: [new Date("2024-02-29T12:30:00.250Z"), null], type: "TIMESTAMP" },
      { name: "id", data: ["123e4567-e89b-12d3-a456-426614174000", null], type: "UUID" },
    ]);
    const { values } = await read(bytes);
    expect(values.moment).toEqual(["2024-02-29T12:30:00.25Z", undefined]);
    expect(values.id).toEqual(["123e4567-e89b-12d3-a456-426614174000", undefined]);
  });

  it("refuses integers that a double cannot hold, with their row, unless they are wanted as text", async () => {
    const bytes = write([{ name: "id", data: [1n, null, 9007199254740993n], type: "INT64" }]);
    const error = await refusal(bytes);
    expect(error.message).toContain('Row 3, column "id": 9007199254740993 is an integer beyond 2^53');
    const schema: DatasetSchema = { columns: [{ name: "id", type: "string" }] };
    expect((await read(bytes, { schema })).values.id).toEqual(["1", undefined, "9007199254740993"]);
  });

  it("refuses nested columns, infinities and text that is not UTF-8", async () => {
    const nested = write([{ name: "list", data: [[1], [2, 3]] }], {
      schema: [
        { name: "root", num_children: 1 },
        { name: "list", repetition_type: "OPTIONAL", num_children: 1, converted_type: "LIST" },
        { name: "list", repetition_type: "REPEATED", num_children: 1 },
        { name: "element", type: "INT32", repetition_type: "OPTIONAL" },
      ],
    });
    expect((await profileRefusal(nested)).message).toContain('column "list" holds lists of different lengths');
    expect(
      (await refusal(write([{ name: "x", data: [1, Number.POSITIVE_INFINITY], type: "DOUBLE" }]))).message,
    ).toContain('Row 2, column "x": Infinity is infinite');
    const binary = write([{ name: "b", data: [Uint8Array.of(0xff, 0xfe)], type: "BYTE_ARRAY" }]);
    expect((await refusal(binary)).message).toContain('column "b": the value is not UTF-8 text');
  });

  it("profiles a table, missing values and all", async () => {
    const bytes = write([{ name: "x", data: [1, 2, null, 3], type: "DOUBLE" }]);
    const { rows, columns, preview } = await profileDataset({
      format: "parquet",
      file: memoryFile(bytes),
      previewRows: 2,
    });
    expect(rows).toBe(4);
    expect(columns[0]).toMatchObject({
      count: 3,
      missing: 1,
      statistics: { minimum: 1, maximum: 3, mean: 2, standardDeviation: 1 },
    });
    expect(preview.rows).toBe(2);
  });

  it("is told apart from what is no Parquet", async () => {
    expect((await refusal(Buffer.from("a,b\n1,2\n"))).message).toContain("This is no Parquet file");
    expect((await refusal(new Uint8Array(3))).message).toContain("This is no Parquet file");
  });
});

describe("Parquet files of pyarrow", () => {
  it.each(["pyarrow-lz4-pages-v2", "pyarrow-snappy-pages-v1"])("are read as they were written: %s", async (name) => {
    const { values } = await read(await readFile(new URL(`./fixtures/${name}.parquet`, import.meta.url)));
    const rows = Array.from({ length: 40 }, (_, i) => i);
    expect(values.int).toEqual(rows.map((i) => (i % 7 === 0 ? undefined : i * 1000 - 20000)));
    expect(values.float).toEqual(rows.map((i) => i / 8));
    expect(values.text).toEqual(rows.map((i) => (i % 5 === 0 ? undefined : ["red", "grün", "蓝"][i % 3])));
    expect(values.truth).toEqual(rows.map((i) => i % 2 === 0));
    expect(values.day).toEqual(rows.map((i) => new Date(Date.UTC(2024, 0, 1 + i)).toISOString().slice(0, 10)));
    const start = Date.UTC(1969, 11, 31, 23, 59, 59);
    const short = (iso: string) => iso.replace(/\.?0*Z$/, "Z");
    expect(values.moment).toEqual(rows.map((i) => short(new Date(start + 250 * i).toISOString())));
    expect(values.money).toEqual(rows.map((i) => (i * 125 - 1000) / 100));
  });
});

describe("Parquet bombs", () => {
  it("a page that unpacks to much more than it is", async () => {
    const text = "x".repeat(200_000);
    const data = Array.from({ length: 200 }, (_, i) => text + i);
    const bytes = write([{ name: "x", data, type: "STRING", encoding: "PLAIN" }], {
      codec: "ZSTD",
      pageSize: 1e9,
      rowGroupSize: 1000,
      statistics: false,
    });
    expect(bytes.byteLength).toBeLessThan(100_000);
    expect(await refusal(bytes, { parquetPageBytes: 10_000_000 })).toMatchObject({
      reason: "DATASET_LIMIT",
      field: "parquetPageBytes",
    });
  });

  it("a page of a few bytes with millions of rows", async () => {
    const data = new Array<string>(9_000_000).fill("same");
    const bytes = write([{ name: "x", data, type: "STRING" }], { rowGroupSize: 1e9, pageSize: 1e9 });
    expect(bytes.byteLength).toBeLessThan(100_000);
    expect(await refusal(bytes)).toMatchObject({ reason: "DATASET_LIMIT", field: "parquetPageValues" });
  });

  it("strings that share their beginnings and grow without end", async () => {
    const data = Array.from({ length: 3000 }, (_, i) => "a".repeat(i * 3));
    const bytes = write([{ name: "x", data, type: "STRING", encoding: "DELTA_BYTE_ARRAY", nullable: false }], {
      rowGroupSize: 1e6,
    });
    expect(bytes.byteLength).toBeLessThan(200_000);
    const error = await refusal(bytes, { parquetPageBytes: 1_000_000 });
    expect(error.message).toContain("longer than 1,000,000 bytes together");
  });

  it("footers and row groups larger than allowed", async () => {
    const bytes = write([{ name: "x", data: numbers(1000, (i) => i) }], { rowGroupSize: 10 });
    expect(await refusal(bytes, { parquetFooterBytes: 1000 })).toMatchObject({ field: "parquetFooterBytes" });
    expect(await refusal(bytes, { parquetRowGroups: 99 })).toMatchObject({ field: "parquetRowGroups" });
    expect(await refusal(bytes, { parquetGroupRows: 9 })).toMatchObject({ field: "parquetGroupRows" });
    expect(await refusal(bytes, { rows: 999 })).toMatchObject({ field: "rows" });
    const wide = write(Array.from({ length: 30 }, (_, i) => ({ name: `c${i}`, data: [1] })));
    expect(await refusal(wide, { columns: 29 })).toMatchObject({ field: "columns" });
    const long = write([{ name: "x", data: ["y".repeat(2000)], type: "STRING" }]);
    expect(await refusal(long, { cellBytes: 1999 })).toMatchObject({ field: "cellBytes" });
  });

  it("a footer whose length is a lie", async () => {
    const bytes = write([{ name: "x", data: [1, 2, 3] }]);
    const lie = Buffer.from(bytes);
    lie.writeUInt32LE(0x7fffffff, lie.length - 8);
    expect((await refusal(lie)).message).toContain("footer is longer than the file");
  });
});
