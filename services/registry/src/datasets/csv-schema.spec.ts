import { ColumnType } from "@aimass/api/registry";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inferCsvSchema } from "./csv-schema.ts";

const limits = { maxColumns: 5, maxRowBytes: 1000 };

async function* inPieces(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

function infer(text: string | Uint8Array, pieceSize = 7) {
  return inferCsvSchema(inPieces(typeof text === "string" ? Buffer.from(text) : text, pieceSize), limits);
}

describe("a table", () => {
  it("tells numbers from text and sums up the numbers", async () => {
    const { rows, columns } = await infer('age,name,score\n30,Ada,1e2\n40,"Bob, the 2nd",\n,Zoë,-50.5\n');
    expect(rows).toBe(3);
    expect(columns).toMatchObject([
      { name: "age", type: ColumnType.NUMBER, missing: 1n, minimum: 30, maximum: 40, mean: 35 },
      { name: "name", type: ColumnType.STRING, missing: 0n },
      { name: "score", type: ColumnType.NUMBER, missing: 1n, minimum: -50.5, maximum: 100, mean: 24.75 },
    ]);
  });

  it("may have a byte order mark, CRLF, quotes, blank lines and line breaks in cells", async () => {
    const { rows, columns } = await infer('\uFEFF"a","b ""c"""\r\n1,"x\r\ny"\r\n\r\n2,z\r\n');
    expect(rows).toBe(2);
    expect(columns.map((column) => column.name)).toEqual(["a", 'b "c"']);
  });

  it.each(["NA", "n/a", "NaN", "null", "  ", "None"])("takes %j for a missing cell", async (word) => {
    const { columns } = await infer(`a,b\n1,x\n${word},y\n`);
    expect(columns[0]).toMatchObject({ type: ColumnType.NUMBER, missing: 1n, mean: 1 });
  });

  it.each(["0x10", "1e999", "١", "1 2", "12abc", "Infinity", "1,5"])("does not take %j for a number", async (cell) => {
    expect((await infer(`a\n1\n"${cell}"\n`)).columns[0]?.type).toBe(ColumnType.STRING);
  });

  it.each([
    ["", "The file is empty"],
    ["a,b\n", "a header and no rows"],
    ["a,,c\n1,2,3\n", "Row 1, column 2: the column has no name"],
    ["a,b,a\n1,2,3\n", 'Row 1, column 3: "a" comes twice'],
    ["a,b,c\n1,2,3\n4,5\n", 'Row 3 ends before column "c": it has 2 of 3 cells'],
    ["a,b\n1,2\n3,4\n5,6,7\n", "Row 4 goes on after the last column"],
    ["a,b,c,d,e,f\n1,2,3,4,5,6\n", "6 columns"],
    ['a,b\n1,"2\n3,4\n', "Row 2"],
    ['a,b\n1,x"y\n', "Row 2, column 2"],
    [`a\n${"x".repeat(2000)}\n`, "Row 2 is longer than 1000 bytes"],
    ["a,b\n1,x\0y\n", 'Row 2, column "b": the cell holds a NUL'],
  ])("%j is refused: %s", async (text, words) => {
    await expect(infer(text)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(words),
    });
  });

  it("that is not UTF-8 is refused, also when a character is cut off at the end", async () => {
    await expect(infer(Buffer.from("a\nZo\xeb\n", "latin1"))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(infer(Buffer.from("a\nZoë").subarray(0, 5))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("that cannot be read to the end says so as it is", async () => {
    async function* broken(): AsyncIterable<Uint8Array> {
      yield Buffer.from("a\n1\n");
      throw new Error("the disk broke");
    }
    await expect(inferCsvSchema(broken(), limits)).rejects.toThrow("the disk broke");
  });

  it("is the same however it is cut into pieces, and its statistics are those of its cells", async () => {
    const cells = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }), {
      minLength: 1,
      maxLength: 50,
    });
    await fc.assert(
      fc.asyncProperty(cells, fc.integer({ min: 1, max: 40 }), async (values, pieceSize) => {
        const { rows, columns } = await infer(`ü\n${values.join("\n")}\n`, pieceSize);
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        expect(rows).toBe(values.length);
        expect(columns[0]?.minimum).toBe(Math.min(...values));
        expect(columns[0]?.maximum).toBe(Math.max(...values));
        expect(columns[0]?.mean).toBeCloseTo(mean, 4);
      }),
      { numRuns: 50 },
    );
  });
});
