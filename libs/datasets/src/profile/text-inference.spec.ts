import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ColumnProfile, memoryFile, profileDataset } from "../index.ts";

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
    const almost = [...Array.from({ length: 30 }, (_, i) => String(i)), "unknown"];
    expect((await profile(almost)).warnings).toEqual([
      'Column "v" is read as text because of 1 of 31 values; the first is "unknown" in row 31.',
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
