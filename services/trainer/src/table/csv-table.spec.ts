import { AimassError } from "@aimass/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CsvSource, csvPart, readCsvRows } from "./csv-table.ts";
import { createSplitter, planSplit } from "./split.ts";

const signal = new AbortController().signal;

function source(csv: string, rows: number, options: Partial<CsvSource> = {}): CsvSource {
  async function* open() {
    const bytes = Buffer.from(csv);
    // Small odd chunks, so that cells, quotes and characters are cut apart.
    for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
  }
  const split = { method: "selection-sampling/1", seed: 1n, testShare: 0.5, testRows: 1, trainRows: rows - 1 } as const;
  return { open, features: ["a"], target: "y", split, ...options };
}

async function readAll(from: CsvSource) {
  const rows: number[][] = [];
  for await (const { values, target } of readCsvRows(from, signal)) rows.push([...values, target]);
  return rows;
}

const failureOf = (from: CsvSource) =>
  readAll(from).then(
    () => expect.fail("it was read"),
    (e: AimassError) => e,
  );

describe("readCsvRows()", () => {
  it("takes columns by name in the order asked for, through BOM, quotes, CRLF and exponents", async () => {
    const csv = '\uFEFFy,"name, long",b,a\r\n1,"x ""é""\n",2,3\r\n-1.5e2,z,.5,+4\r\n\r\n';
    expect(await readAll(source(csv, 2, { features: ["a", "b"] }))).toEqual([
      [3, 2, 1],
      [4, 0.5, -150],
    ]);
  });

  it.each([
    ["", 'Row 2, column "a" is empty.'],
    ["abc", 'Row 2, column "a" has "abc", which is not a finite number.'],
    ["NaN", 'Row 2, column "a" has "NaN", which is not a finite number.'],
    ["1e39", 'Row 2, column "a" has "1e39", which is not a finite number.'],
    ["0x10", 'Row 2, column "a" has "0x10", which is not a finite number.'],
  ])("names row and column of the cell %j", async (cell, message) => {
    const error = await failureOf(source(`a,y\n1,2\n${cell},3\n`, 2));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", field: "a" });
    expect(error.message).toBe(message);
  });

  it("names the row that has too few cells", async () => {
    const error = await failureOf(source("a,y\n1,2\n3\n", 2));
    expect(error).toBeInstanceOf(AimassError);
    expect(error.message).toMatch(/malformed in row/);
  });

  it("notices rows that are missing or too many", async () => {
    expect((await failureOf(source("a,y\n1,2\n", 3))).code).toBe("DATA_LOSS");
    expect((await failureOf(source("a,y\n1,2\n1,2\n1,2\n1,2\n", 2))).code).toBe("DATA_LOSS");
  });

  it("passes on what reading the bytes throws", async () => {
    const open = async function* (): AsyncIterable<Uint8Array> {
      yield Buffer.from("a,y\n1,2\n");
      throw new AimassError("UNAVAILABLE", "gone");
    };
    expect((await failureOf(source("", 5, { open }))).code).toBe("UNAVAILABLE");
  });
});

describe("a split", () => {
  it("holds out exactly its share, the same rows for the same seed, and every row is in one part", async () => {
    await fc.assert(
      fc.property(
        fc.integer({ min: 10, max: 500 }),
        fc.double({ min: 0.2, max: 0.5, noNaN: true }),
        fc.bigInt(0n, 2n ** 64n - 1n),
        (n, share, seed) => {
          const split = planSplit(n, share, seed);
          const pick = () => {
            const next = createSplitter(split);
            return Array.from({ length: n }, next);
          };
          expect(pick().filter(Boolean)).toHaveLength(split.testRows);
          expect(pick()).toEqual(pick());
        },
      ),
    );
    const csv = `a,y\n${Array.from({ length: 20 }, (_, i) => `${i},0`).join("\n")}\n`;
    const from = source(csv, 20, { split: planSplit(20, 0.3, 9n) });
    const seen: number[] = [];
    for (const part of ["train", "test"] as const) {
      for await (const { values } of csvPart(from, part).rows(signal)) seen.push(values[0] as number);
    }
    expect(seen.sort((x, y) => x - y)).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  it("is the same on every machine and in every version", () => {
    const next = createSplitter(planSplit(20, 0.2, 42n));
    const heldOut = Array.from({ length: 20 }, (_, i) => (next() ? i : -1)).filter((i) => i >= 0);
    expect(heldOut).toMatchInlineSnapshot(`
      [
        0,
        1,
        3,
        8,
      ]
    `);
  });

  it("refuses parts that say nothing", () => {
    expect(() => planSplit(5, 0.2, 0n)).toThrow("each part needs 2");
  });
});
