import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type ColumnProfile,
  type DatasetOptions,
  defaultMissing,
  memoryFile,
  missingWords,
  openDataset,
  profileDataset,
} from "../index.ts";

const profile = (values: readonly string[], options: { missing?: string[] } = {}) =>
  profileDataset({
    format: "csv",
    file: memoryFile(Buffer.from(`v,w\n${values.map((v, row) => `${v},${row}\n`).join("")}`)),
    ...options,
  });

const first = (columns: readonly ColumnProfile[]) => columns[0] as ColumnProfile;

describe("the type of a column", () => {
  it.each([
    ["numbers", ["1", "-2.5", "3e4", ""], "number"],
    ["true and false", ["true", "False", "NA"], "boolean"],
    ["words", ["a", "b", "a"], "string"],
    ["codes with leading zeros", ["007", "123", "045"], "string"],
    ["integers beyond 2^53", ["9007199254740993", "1"], "string"],
    ["nothing", ["", "NA", "null"], "string"],
    ["zero and one", ["0", "1"], "number"],
    ["words among numbers", ["12", "13", "12a"], "string"],
    ["numbers and infinity only as text", ["inf", "inf"], "string"],
  ])("is found for %s", async (_, values, type) => {
    expect(first((await profile(values)).columns).type).toBe(type);
  });

  it("comes with a warning when it may not be what was meant", async () => {
    expect((await profile(["007", "12"])).warnings).toEqual([
      'Column "v" is kept as text: "007" in row 1 would lose digits as a number.',
    ]);
    const almost = [...Array.from({ length: 30 }, (_, i) => String(i)), "12O"];
    expect((await profile(almost)).warnings).toEqual([
      'Column "v" is read as text because of 1 of 31 values; the first is "12O" in row 31. If it means "no value", say so: --missing 12O (in the API: read.missing).',
    ]);
    expect((await profile(["5 %", "6 %"])).warnings).toEqual([
      'Column "v" is read as text: "5 %" in row 1 is a percentage.',
    ]);
    expect((await profile(["", ""])).warnings).toEqual(['Column "v" has no value in 2 rows.']);
  });

  it("of texts counts the numbers among them when it says how long values are", async () => {
    expect(first((await profile(["7", "abc", "123456"])).columns).statistics).toMatchObject({
      shortest: 1,
      longest: 6,
    });
  });

  it("knows dates, moments, categories and free text apart", async () => {
    const looks = async (values: string[]) => {
      const { statistics } = first((await profile(values)).columns);
      return statistics.kind === "string" ? statistics.looks : statistics.kind;
    };
    expect(await looks(["2024-02-29", "2023-01-01"])).toBe("date");
    expect(await looks(["2024-02-29T10:00:00Z", "2023-01-01 11:30"])).toBe("datetime");
    expect(await looks(["2024-02-30", "2023-01-01"])).toBe("category");
    expect(await looks(Array.from({ length: 100 }, (_, i) => `word ${i}`))).toBe("text");
  });

  it("follows the missing-value tokens it is given, numbers among them", async () => {
    const { columns, schema, preview } = await profile(["1", "-999", "?", "NA"], { missing: ["?", "-999", "NA"] });
    expect(first(columns)).toMatchObject({ type: "number", count: 1, missing: 3 });
    expect(schema.missing).toEqual(["?", "-999", "NA"]);
    expect(preview.columns.get("v")?.values).toEqual(Float64Array.of(1, Number.NaN, Number.NaN, Number.NaN));
  });
});

describe("the statistics of a column", () => {
  it("are those of the numbers, whatever they are", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 2, maxLength: 50 }),
        async (numbers) => {
          const { statistics, distinct } = first((await profile(numbers.map(String))).columns);
          if (statistics.kind !== "number") throw new Error(`these are ${statistics.kind}`);
          const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
          const deviation = Math.sqrt(numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (numbers.length - 1));
          expect(statistics.mean).toBeCloseTo(mean, 6);
          expect(statistics.standardDeviation).toBeCloseTo(deviation, 5);
          expect([statistics.minimum + 0, statistics.maximum + 0]).toEqual([
            Math.min(...numbers) + 0,
            Math.max(...numbers) + 0,
          ]);
          expect(distinct).toEqual({ count: new Set(numbers.map((x) => x + 0)).size, exact: true });
        },
      ),
      { numRuns: 60 },
    );
  });

  it("stay precise for numbers far from zero", async () => {
    const { statistics } = first((await profile(["1000000001", "1000000002", "1000000003"])).columns);
    expect(statistics).toMatchObject({ mean: 1000000002, standardDeviation: 1, integers: true });
  });

  it("know long texts apart by more than their beginning, and keep only that", async () => {
    const same = "x".repeat(100);
    const long = (end: string) => `${same}${"y".repeat(200)}${end}`;
    const { distinct, frequent } = first((await profile([long("1"), long("2"), long("1"), same])).columns);
    expect(distinct).toEqual({ count: 3, exact: true });
    expect(frequent?.values).toEqual([
      { value: `${same}…`, count: 2 },
      { value: same, count: 1 },
      { value: `${same}…`, count: 1 },
    ]);
  });

  it("are of the texts as they are written, where numbers stand in a column of texts", async () => {
    const times = { "+4912": 6, "4912": 7, "1": 8, "+1": 5, "0049": 4, " 1": 3, "-0": 2, "1.": 9, ".5": 1, "1e3": 10 };
    const cells = Object.entries(times).flatMap(([text, count]) => Array.from({ length: count }, () => text));
    const { distinct, frequent } = first((await profile(cells)).columns);
    expect(distinct).toEqual({ count: 10, exact: true });
    expect(Object.fromEntries((frequent?.values ?? []).map(({ value, count }) => [value, count]))).toEqual(times);
  });

  it("are those of the rows that a column of texts holds, whatever numbers stand among them", async () => {
    const written = fc.oneof(
      fc.stringMatching(/^[-+]?\d{0,3}\.?\d{0,2}(?:e-?\d)?$/).filter((text) => text.trim() !== ""),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.constantFrom("1", "1.0", "+1", "0.1", "0.10", "0.10000000000000001", "1e-7", "0.0000001", "1000000", "1e6"),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(written, { minLength: 1, maxLength: 18 }), async (numbers) => {
        const cells = [...numbers, "q", "one", "two", "three"];
        const column = first((await profile(cells)).columns);
        expect(column.type).toBe("string");
        const times = new Map<string, number>();
        for (const cell of cells) times.set(cell, (times.get(cell) ?? 0) + 1);
        expect(column.distinct).toEqual({ count: times.size, exact: true });
        for (const { value, count } of column.frequent?.values ?? [])
          expect([value, count]).toEqual([value, times.get(value)]);
      }),
      { numRuns: 300 },
    );
  });

  it("say how much too low they may be, where a text comes after thousands of different numbers", async () => {
    const numbers = Array.from({ length: 5000 }, (_, row) => `${row}.50`);
    const { distinct, frequent } = first(
      (await profile([...numbers, ...Array(9).fill("1.50"), "a", "b", "c", "d"])).columns,
    );
    expect(Math.abs((distinct?.count ?? 0) / 5004 - 1)).toBeLessThan(0.05);
    for (const { value, count } of frequent?.values ?? []) {
      const real = value === "1.50" ? 10 : /^(?:\d+\.50|[a-d])$/.test(value) ? 1 : 0;
      expect([real >= count, real - count <= (frequent?.undercount ?? 0)], value).toEqual([true, true]);
    }
  });

  it("tell the number of different values within 5 %, and frequent ones, when there are too many to count", async () => {
    const values = Array.from({ length: 60_000 }, (_, i) => (i % 3 === 0 ? "often" : `id-${i}`));
    const { distinct, frequent } = first((await profile(values)).columns);
    expect(distinct?.exact).toBe(false);
    expect(Math.abs((distinct?.count ?? 0) / 40_001 - 1)).toBeLessThan(0.05);
    const [top] = frequent?.values ?? [];
    expect(top?.value).toBe("often");
    expect(20_000 - (top?.count ?? 0)).toBeLessThanOrEqual(frequent?.undercount ?? 0);
  });
});

describe("missing values of a column of numbers", () => {
  const gaps = (values: readonly string[], options: Partial<DatasetOptions> = {}) =>
    profileDataset({
      format: "csv",
      file: memoryFile(Buffer.from(`v,w\n${values.map((v, row) => `${v},${row}\n`).join("")}`)),
      ...options,
    });

  it.each([0.02, 0.2, 0.6, 0.9])("may be written as a word of its own in a share of %d of the rows", async (share) => {
    const values = Array.from({ length: 100 }, (_, i) => (i < share * 100 ? (i % 2 ? "?" : " - ") : `${i}.5`));
    const { columns, schema, warnings } = await gaps(values);
    expect(first(columns)).toMatchObject({
      type: "number",
      missing: share * 100,
      distinct: { count: 100 - share * 100 },
      missingWords: ["-", "?"],
    });
    expect(schema.columns[0]).toEqual({ name: "v", type: "number", missing: ["-", "?"] });
    expect(warnings[0]).toBe(
      `Column "v" is read as numbers: "-", "?" in ${share * 100} of 100 rows counts as missing. To keep it as text, declare it so: --type v=string (in the API: read.types).`,
    );
  });

  it("are read as such again, in that column alone", async () => {
    const text = "v,w\n1,?\n?,a\n2,b\n ?,?\n";
    const file = memoryFile(Buffer.from(text));
    const { schema, preview, columns } = await profileDataset({ format: "csv", file });
    expect((await profileDataset({ format: "csv", file, schema })).columns).toEqual(columns);
    const dataset = await openDataset({ format: "csv", file, schema });
    for await (const batch of dataset.batches({ batchRows: 9 })) {
      expect(batch).toEqual(preview);
      expect(batch.columns.get("v")?.values).toEqual(Float64Array.of(1, Number.NaN, 2, Number.NaN));
      expect(batch.columns.get("w")?.values).toEqual(["?", "a", "b", "?"]);
    }
  });

  it("are not guessed where it is said what is missing, or what the column is", async () => {
    const values = ["1", "?", "2", "?"];
    expect(first((await gaps(values, { missing: [""], onlyMissing: true })).columns).type).toBe("string");
    expect(first((await gaps(values, { types: new Map([["v", "string"]]) })).columns).type).toBe("string");
  });

  it("are every word that pandas takes for one, but none and na mean themselves", async () => {
    expect(first((await gaps([...defaultMissing, "1"])).columns)).toMatchObject({
      type: "number",
      missing: defaultMissing.length,
    });
    const { columns } = await gaps(["none", "light", "heavy", "none", "na"]);
    expect(first(columns)).toMatchObject({ count: 5, missing: 0 });
  });

  it("that a caller names count beside the usual ones, or instead of them", () => {
    expect(missingWords("csv", ["?"], false)).toEqual([...defaultMissing, "?"]);
    expect(missingWords("csv", ["?", "NA"], false)).toEqual([...defaultMissing, "?"]);
    expect(missingWords("tsv", [""], true)).toEqual([""]);
    expect(missingWords("json-lines", ["?"], false)).toEqual(["?"]);
  });
});
