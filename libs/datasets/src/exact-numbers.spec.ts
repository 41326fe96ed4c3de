import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import { type ColumnType, type DatasetFormat, memoryFile, openDataset, profileDataset, valueAt } from "./index.ts";

type Types = Readonly<Record<string, ColumnType>>;

/** The values and the type of column "v" after a push: profiled, and then read by the schema that was found. */
async function read(format: DatasetFormat, bytes: Uint8Array, types: Types = {}, column = "v") {
  const options = { format, file: memoryFile(bytes), types: new Map(Object.entries(types)) };
  const { schema, warnings } = await profileDataset(options);
  const dataset = await openDataset({ format, file: options.file, schema });
  const values: unknown[] = [];
  for await (const batch of dataset.batches({ batchRows: 3 })) {
    const data = batch.columns.get(column);
    for (let row = 0; row < batch.rows; row++) values.push(data && valueAt(data, row));
  }
  return { type: schema.columns.find(({ name }) => name === column)?.type, values, warnings };
}

const text = (format: DatasetFormat, cells: readonly string[]) =>
  Buffer.from(
    format === "csv" ? `v,w\n${cells.map((v) => `${v},1\n`).join("")}` : cells.map((v) => `{"v":${v}}\n`).join(""),
  );

const parquet = (cells: readonly bigint[]) =>
  new Uint8Array(
    parquetWriteBuffer({ columnData: [{ name: "v", data: [...cells], type: "INT64" }], codec: "UNCOMPRESSED" }),
  );

const fixture = (name: string) => readFile(new URL(`./parquet/fixtures/${name}.parquet`, import.meta.url));

const sentence = (value: string, row: number) =>
  `Column "v" is kept as text: "${value}" in row ${row} would lose digits as a number.`;

describe("whole numbers", () => {
  it("are read alike, and to the last digit, from CSV, JSON Lines and Parquet", async () => {
    const whole = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.bigInt({ min: -20n, max: 20n }),
      fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(whole, { minLength: 1, maxLength: 12 }), async (cells) => {
        const written = cells.map(String);
        const long = cells.findIndex((n) => !Number.isSafeInteger(Number(n)));
        const expected = long < 0 ? cells.map(Number) : written;
        for (const [format, bytes] of [
          ["csv", text("csv", written)],
          ["json-lines", text("json-lines", written)],
          ["parquet", parquet(cells)],
        ] as const) {
          const found = await read(format, bytes);
          expect(found.values, format).toEqual(expected);
          expect(found.warnings.filter((w) => w.includes("lose"))).toEqual(
            long < 0 ? [] : [sentence(written[long] as string, long + 1)],
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  it.each(["csv", "json-lines", "parquet"] as const)(
    "of %s are refused where numbers are declared and one would change",
    async (format) => {
      const bytes = format === "parquet" ? parquet([1n, 9007199254740993n]) : text(format, ["1", "9007199254740993"]);
      await expect(read(format, bytes, { v: "number" })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringMatching(/^Row 2.*"v": "?9007199254740993"? is an integer beyond 2\^53/),
        remedy: "To keep it as text, declare it so: --type v=string (in the API: read.types).",
      });
    },
  );

  it.each(["csv", "json-lines", "parquet"] as const)(
    "of %s are the text that stands there where strings are declared",
    async (format) => {
      const cells = ["9007199254740993", "9007199254740994", "12"];
      const bytes = format === "parquet" ? parquet(cells.map(BigInt)) : text(format, cells);
      expect(await read(format, bytes, { v: "string" })).toMatchObject({ type: "string", values: cells });
    },
  );

  it("of JSON that are text for the sake of one have the lengths they are written with", async () => {
    const file = memoryFile(text("json-lines", ["123456", "7", "-20", "9007199254740993", "8"]));
    const { columns } = await profileDataset({ format: "json-lines", file });
    expect(columns[0]).toMatchObject({ type: "string", count: 5, statistics: { shortest: 1, longest: 16 } });
  });

  it("without a sign are the numbers that were written, beyond 2^63 too", async () => {
    const bytes = await fixture("pyarrow-exact-numbers");
    expect((await read("parquet", bytes, {}, "u64")).values).toEqual([
      "1",
      "9223372036854775813",
      undefined,
      "18446744073709551615",
    ]);
    expect((await read("parquet", bytes, {}, "u32")).values).toEqual([1, 4294967295, undefined, 0]);
    await expect(read("parquet", bytes, { u64: "number" })).rejects.toThrow(
      'Row 2, column "u64": 9223372036854775813 is an integer beyond 2^53',
    );
  });

  it("are blamed on the row that has them, though a dictionary holds them before the first row", async () => {
    const bytes = await fixture("pyarrow-exact-numbers");
    await expect(read("parquet", bytes, { i64: "number" })).rejects.toThrow('Row 3, column "i64": 9007199254740993');
  });
});

describe("decimals", () => {
  it("of Parquet are the nearest doubles, or text where digits before the point would change", async () => {
    const bytes = await fixture("pyarrow-exact-numbers");
    expect(await read("parquet", bytes, {}, "small")).toMatchObject({
      values: [0.1, -999999999999999.9, undefined, 0.3],
    });
    const { values, warnings } = await read("parquet", bytes, {}, "money");
    expect(values).toEqual(["1.50", "123456789012345678.91", undefined, "-0.01"]);
    expect(warnings).toContain(
      'Column "money" is kept as text: "123456789012345678.91" in row 2 would lose digits as a number.',
    );
    expect((await read("parquet", bytes, { wide: "string" }, "wide")).values).toEqual([
      "0.12345678901234567891",
      "0.50000000000000000000",
      undefined,
      "0.10000000000000000000",
    ]);
  });

  it.each([
    ["csv", () => text("csv", ["0.12345678901234567891", "0.5"])],
    ["json-lines", () => text("json-lines", ["0.12345678901234567891", "0.5"])],
  ] as const)("of %s that have more digits than a double are rounded, and that is said", async (format, bytes) => {
    const { values, warnings } = await read(format, bytes());
    expect(values).toEqual([0.12345678901234568, 0.5]);
    expect(warnings[0]).toBe(
      'Column "v" has numbers of more digits than the 17 that are kept, such as 0.12345678901234567891; they are rounded. To keep it as text, declare it so: --type v=string (in the API: read.types).',
    );
  });

  it("of Parquet that have more digits than a double are rounded, and that is said", async () => {
    const { values, warnings } = await read("parquet", await fixture("pyarrow-exact-numbers"), {}, "wide");
    expect(values).toEqual([0.12345678901234568, 0.5, undefined, 0.1]);
    expect(warnings.filter((w) => w.includes("rounded"))).toEqual([
      expect.stringContaining(
        'Column "wide" has numbers of more digits than the 17 that are kept, such as 0.12345678901234567891',
      ),
    ]);
  });

  it.each([
    "0.1",
    "-0",
    "1e3",
    "1.5e300",
    "0.30000000000000004",
    "0.10000000000000001",
    "123456789012345680.0",
    "1.2345678901234567e+25",
    "0.1000000000000000055511151231257827021181583404541015625",
    "3.000000000000000000000000",
  ])("that are written as %s are numbers, without a remark", async (written) => {
    for (const format of ["csv", "json-lines"] as const) {
      const { values, warnings } = await read(format, text(format, [written, "2"]));
      expect(values).toEqual([Number(written), 2]);
      expect(warnings.filter((w) => w.includes('"v"'))).toEqual([]);
    }
  });

  it.each(["9007199254740993.0", "12345678901234567.5"])(
    "beyond 2^53 such as %s are text, as they are written",
    async (written) => {
      for (const format of ["csv", "json-lines"] as const) {
        const { values, warnings } = await read(format, text(format, [written, "2"]));
        expect(values).toEqual([written, "2"]);
        expect(warnings[0]).toBe(sentence(written, 1));
      }
    },
  );

  it("of JSON keep zeros at their end where strings are declared", async () => {
    const bytes = text("json-lines", ["1.10", "1.1", "1e3", "-0"]);
    expect((await read("json-lines", bytes, { v: "string" })).values).toEqual(["1.10", "1.1", "1e3", "-0"]);
  });
});

describe("numbers larger than any double", () => {
  it.each(["csv", "json-lines"] as const)("are refused in %s, by their name", async (format) => {
    for (const types of [{}, { v: "number" }] as Types[]) {
      await expect(read(format, text(format, ["1", "2", "1e400"]), types)).rejects.toThrow(
        /^Row 3 \(line \d\), column "v": "1e400" is .*too large for a 64-bit float/,
      );
    }
  });
});

describe("moments", () => {
  it("of Parquet have every digit of a second", async () => {
    expect((await read("parquet", await fixture("pyarrow-exact-numbers"), {}, "ns")).values).toEqual([
      "2023-11-14T22:13:20.123456789Z",
      "1969-12-31T23:59:59.999999999Z",
      undefined,
      "1970-01-01T00:00:00Z",
    ]);
  });
});
