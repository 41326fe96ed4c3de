import fc from "fast-check";
import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { pngOf } from "../images/png-writer.fixture.ts";
import { checkLeakage, memoryFile, openDataset, type RowAssignment, unassigned } from "../index.ts";
import { ContentTable } from "./content-table.ts";

/** Rows go to the parts in the order given. */
const fixed = (codes: readonly number[]): RowAssignment => ({
  parts: ["train", "validation", "test"],
  columns: [],
  partsOf: ({ firstRow, rows }) => Uint8Array.from(codes.slice(firstRow, firstRow + rows)),
});

const table = (text: string) => openDataset({ format: "csv", file: memoryFile(Buffer.from(text)) });

describe("the leakage check", () => {
  it("finds rows that are alike in two parts, not those within one or in none", async () => {
    const dataset = await table(
      "a,b,ok\n1,x,true\n2,y,false\n1,x,true\n2,y,false\n1,x,true\n2,y,false\n,x,true\n,x,true\n",
    );
    const { duplicates } = await checkLeakage(dataset, fixed([0, 0, 0, unassigned, 2, 1, 0, 1]));
    expect(duplicates).toEqual({
      rows: 3,
      byPart: { train: 0, validation: 2, test: 1 },
      contents: 3,
      examples: [
        { row: 4, part: "test", firstRow: 0, firstPart: "train" },
        { row: 5, part: "validation", firstRow: 1, firstPart: "train" },
        { row: 7, part: "validation", firstRow: 6, firstPart: "train" },
      ],
    });
  });

  it("does not take rows for alike because their values are the same in other columns", async () => {
    const dataset = await table("a,b\n1,2\n2,1\n12,\n1,\n,1\n0,0\n");
    expect((await checkLeakage(dataset, fixed([0, 1, 2, 0, 1, 2]))).duplicates.rows).toBe(0);
  });

  it("compares only the columns it is told, and finds groups in several parts", async () => {
    const dataset = await table("id,a,who\n1,x,ann\n2,x,bob\n3,y,ann\n4,z,bob\n5,w,\n6,v,\n");
    const report = await checkLeakage(dataset, fixed([0, 2, 1, 2, 0, 1]), { columns: ["a"], groupBy: "who" });
    expect(report.duplicates.rows).toBe(1);
    expect(report.groups).toEqual({ count: 1, examples: [{ group: "ann", parts: ["train", "validation"] }] });
  });

  it("finds the same image under two names", async () => {
    const image = (value: number) => pngOf({ width: 1, height: 1, colour: 0, depth: 8, samples: [value] });
    const zip = zipSync({ "a/1.png": image(1), "a/2.png": image(2), "a/3.png": image(1) });
    const dataset = await openDataset({ format: "image-zip", file: memoryFile(zip) });
    const { duplicates } = await checkLeakage(dataset, fixed([0, 1, 2]));
    expect(duplicates.examples).toEqual([{ row: 2, part: "test", firstRow: 0, firstPart: "train" }]);
  });

  it("remembers many contents exactly", () => {
    const contents = new ContentTable(3);
    for (let i = 0; i < 50_000; i++) contents.add(i >>> 8, i & 0xffff, { row: i, part: i % 3 });
    expect([...contents.spanning()]).toEqual([]);
    for (let i = 0; i < 50_000; i++) contents.add(i >>> 8, i & 0xffff, { row: 50_000 + i, part: (i + 1) % 3 });
    const found = [...contents.spanning()].map(({ firstRows }) =>
      firstRows.map((row) => row ?? -1).sort((a, b) => a - b),
    );
    expect(found.sort((a, b) => (a[1] as number) - (b[1] as number))).toEqual(
      Array.from({ length: 50_000 }, (_, i) => [-1, i, 50_000 + i]),
    );
  });

  it("counts rows outside of training with a twin in training as a look at every pair does, whatever the order of the file", async () => {
    const row = fc.record({ a: fc.integer({ min: 0, max: 3 }), b: fc.constantFrom("x", "y", ""), part: fc.nat(3) });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 40 }), async (rows) => {
        const dataset = await table(`a,b\n${rows.map(({ a, b }) => `${a},${b}\n`).join("")}`);
        const codes = rows.map(({ part }) => (part === 3 ? unassigned : part));
        const alike = (left: (typeof rows)[0], right: (typeof rows)[0]) => left.a === right.a && left.b === right.b;
        const twins = (part: number) =>
          rows.filter((one) => one.part === part && rows.some((other) => other.part === 0 && alike(one, other))).length;
        const { duplicates } = await checkLeakage(dataset, fixed(codes), { examples: 100 });
        expect(duplicates.byPart).toEqual({ train: 0, validation: twins(1), test: twins(2) });
        expect(duplicates.rows).toBe(twins(1) + twins(2));
        for (const example of duplicates.examples) {
          const [one, other] = [rows[example.row], rows[example.firstRow]] as [(typeof rows)[0], (typeof rows)[0]];
          expect(alike(one, other) && one.part > other.part && other.part < 2).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  });

  it("tells of rows that are in two parts of which none is learnt from", async () => {
    const { duplicates } = await checkLeakage(await table("a,b\n1,1\n2,1\n2,1\n"), fixed([0, 1, 2]));
    expect(duplicates).toMatchObject({
      rows: 0,
      contents: 1,
      examples: [{ row: 2, firstRow: 1, firstPart: "validation" }],
    });
  });
});
