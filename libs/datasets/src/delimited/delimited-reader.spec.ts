import { AimassError } from "@aimass/core";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DatasetSchema, memoryFile, openDataset, profileDataset, valueAt } from "../index.ts";

const file = (text: string) => memoryFile(Buffer.from(text));

/** All rows of a table, as arrays of values. */
async function rowsOf(text: string, schema?: DatasetSchema, batchRows = 3): Promise<unknown[][]> {
  const dataset = await openDataset({ format: "csv", file: file(text), ...(schema === undefined ? {} : { schema }) });
  const rows: unknown[][] = [];
  for await (const batch of dataset.batches({ batchRows })) {
    const columns = [...batch.columns.values()];
    for (let row = 0; row < batch.rows; row++) rows.push(columns.map((column) => valueAt(column, row)));
  }
  return rows;
}

/** The sentence a bad file is refused with. */
async function refusal(text: string | Buffer, schema?: DatasetSchema, missing?: string[]): Promise<string> {
  const bytes = memoryFile(Buffer.from(text));
  const options = { format: "csv" as const, file: bytes, ...(schema && { schema }), ...(missing && { missing }) };
  const error = await profileDataset(options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AimassError);
  expect((error as AimassError).code).toBe("INVALID_ARGUMENT");
  return (error as AimassError).advice;
}

const cell = fc.string({
  unit: fc.constantFrom("a", "é", "中", "🙂", '"', ",", "\n", "\r\n", " ", "7", ";", "\t"),
  maxLength: 12,
});
const table = fc
  .integer({ min: 1, max: 6 })
  .chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 20 }));

/** Writes a table as RFC 4180 has it. */
function csv(rows: readonly (readonly string[])[], lineEnd: string): string {
  const quoted = (text: string) => (/[",\r\n]/.test(text) || text === "" ? `"${text.replaceAll('"', '""')}"` : text);
  return rows.map((row) => row.map(quoted).join(",") + lineEnd).join("");
}

describe("CSV", () => {
  it("gives back every table of strings that was written as RFC 4180 says, in any batch size", async () => {
    await fc.assert(
      fc.asyncProperty(
        table,
        fc.constantFrom("\n", "\r\n"),
        fc.integer({ min: 1, max: 9 }),
        async (rows, lineEnd, batchRows) => {
          const names = (rows[0] as string[]).map((_, index) => `c${index}`);
          const schema: DatasetSchema = { columns: names.map((name) => ({ name, type: "string" })), missing: [] };
          expect(await rowsOf(csv([names, ...rows], lineEnd), schema, batchRows)).toEqual(rows);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("reads the same cells as an independent parser", async () => {
    await fc.assert(
      fc.asyncProperty(table, async (rows) => {
        const names = (rows[0] as string[]).map((_, index) => `c${index}`);
        const text = csv([names, ...rows], "\n");
        const schema: DatasetSchema = { columns: names.map((name) => ({ name, type: "string" })), missing: [] };
        expect(await rowsOf(text, schema)).toEqual((parse(text) as string[][]).slice(1));
      }),
      { numRuns: 100 },
    );
  });

  it("reads every double as it was written", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }),
        async (numbers) => {
          const schema: DatasetSchema = { columns: [{ name: "x", type: "number" }] };
          const rows = await rowsOf(`x\n${numbers.join("\n")}\n`, schema);
          expect(rows.map(([value]) => value)).toEqual(numbers.map((number) => (Object.is(number, -0) ? 0 : number)));
        },
      ),
      { numRuns: 300 },
    );
  });

  it("reads decimals of any length and exponent to the nearest double", async () => {
    const decimal = fc
      .tuple(fc.stringMatching(/^[1-9]\d{0,24}$/), fc.stringMatching(/^\d{0,24}$/), fc.integer({ min: -40, max: 40 }))
      .map(([whole, fraction, exponent]) => `${whole}.${fraction}e${exponent}`);
    await fc.assert(
      fc.asyncProperty(fc.array(decimal, { minLength: 1 }), async (texts) => {
        const rows = await rowsOf(`x\n${texts.join("\n")}`, { columns: [{ name: "x", type: "number" }] });
        expect(rows.map(([value]) => value)).toEqual(texts.map(Number));
      }),
      { numRuns: 300 },
    );
  });

  it("takes a byte order mark, spaces around numbers, a missing last line end and blank lines", async () => {
    const text = '\ufeffname,age\r\nAnn, 31 \r\n\r\n"Bob",\r\n,7';
    expect(await rowsOf(text)).toEqual([
      ["Ann", 31],
      ["Bob", undefined],
      [undefined, 7],
    ]);
  });

  it("reads cells longer than a block of the file", async () => {
    const long = "x".repeat(1_000_000);
    expect(await rowsOf(`a,b\n1,"${long}\n"\n2,y\n`)).toEqual([
      [1, `${long}\n`],
      [2, "y"],
    ]);
  });

  it("reads only the columns that are wanted, in the file's order", async () => {
    const dataset = await openDataset({ format: "csv", file: file("a,b,c\n1,x,2\n") });
    for await (const batch of dataset.batches({ batchRows: 5, columns: ["c", "a"] })) {
      expect([...batch.columns.keys()]).toEqual(["a", "c"]);
    }
    expect(() => dataset.batches({ batchRows: 0 })).toThrow("cannot have 0 rows");
  });

  it("reads semicolons when told, and says so when it was not told", async () => {
    const options = { format: "csv" as const, file: file("a;b\n1;2\n"), delimiter: ";" };
    const dataset = await openDataset(options);
    expect(dataset.schema).toEqual({
      columns: [
        { name: "a", type: "number" },
        { name: "b", type: "number" },
      ],
      delimiter: ";",
    });
    expect(await refusal("a;b\n1;2\n3\n")).toContain('separated by ";"');
  });

  it.each([
    ["an empty file", "", undefined, "The file is empty."],
    ["only a header", "a,b\n", undefined, "The file has a header and no rows."],
    ["two columns of one name", "a,b,a\n1,2,3\n", undefined, 'columns 1 and 3 are both named "a"'],
    ["too few cells", "a,b\n1,2\n3\n", undefined, "Row 2 (line 3): there are 1 cells, but the header has 2 columns."],
    ["too many cells", "a,b\n1,2,3\n", undefined, "Put cells that contain the delimiter in quotes."],
    [
      "a thousands separator",
      'a\n1\n2\n"1,234"\n',
      undefined,
      'Row 3 (line 4), column "a": "1,234" has thousands separators',
    ],
    ["a decimal comma", 'a\n1\n2\n"1,5"\n', undefined, "Write 1.5."],
    ["a percentage", "a\n1\n2\n5%\n", undefined, 'Row 3 (line 4), column "a": "5%" is a percentage'],
    ["a price", "a\n1\n2\n$5\n", undefined, "has a currency sign"],
    [
      "an open quote",
      'a,b\n1,"x\n2,y\n',
      undefined,
      'Row 1 (line 2): the quote that opens column "b" is never closed.',
    ],
    ["a stray quote", 'a\n5" pipe\n', undefined, "has a quote inside a cell that is not quoted"],
    ["text after a quote", 'a,b\n1,"x"y\n', undefined, "goes on after its closing quote"],
    ["a NUL byte", "a\nx\0\n", undefined, 'Row 1 (line 2): column "a" has a NUL byte.'],
    ["a lone carriage return", "a\rb\r", undefined, "carriage return without a line feed"],
    ["a gzip file", "\x1f\x8b\x08", undefined, "The file is empty"],
  ])("refuses %s with a sentence that says where and what to do", async (_, text, schema, sentence) => {
    if (text.startsWith("\x1f"))
      expect(await refusal(Buffer.from(text, "latin1"))).toContain("The gzip file is cut off");
    else expect(await refusal(text, schema)).toContain(sentence);
  });

  it("counts lines inside quotes when it says where a cell is", async () => {
    const schema: DatasetSchema = {
      columns: [
        { name: "t", type: "string" },
        { name: "n", type: "number" },
      ],
    };
    expect(await refusal('t,n\n"a\nb",1\nc,x\n', schema)).toBe(
      'Row 2 (line 4), column "n": "x" is not a number. Write digits with a point, such as -1234.5, or leave the cell empty.',
    );
  });

  it("names the cell that is not UTF-8", async () => {
    expect(await refusal(Buffer.from("city\nParis\nM\xfcnchen\n", "latin1"))).toBe(
      'Row 2 (line 3), column "city": "München" is not UTF-8 (shown here as Latin-1). Save the file as UTF-8, or name its encoding: --encoding windows-1252 (in the API: read.encoding).',
    );
  });

  it("refuses a file that lacks a column of the schema", async () => {
    expect(await refusal("a\n1\n", { columns: [{ name: "b", type: "number" }] })).toBe(
      'The file has no column "b". Its columns are "a".',
    );
  });

  it("stops when it is told to", async () => {
    const controller = new AbortController();
    const dataset = await openDataset({ format: "csv", file: file(`a\n${"1\n".repeat(500_000)}`) });
    const read = async () => {
      for await (const _ of dataset.batches({ batchRows: 100, signal: controller.signal })) controller.abort();
    };
    await expect(read()).rejects.toThrow(/abort/);
  });
});

describe("limits of CSV", () => {
  it("end a quote that is never closed long before the end of the file", async () => {
    const text = `a\n"${"x\n".repeat(10_000_000)}`;
    let furthest = 0;
    const inner = file(text);
    const watched = {
      ...inner,
      read: (offset: number, length: number) => {
        furthest = Math.max(furthest, offset + length);
        return inner.read(offset, length);
      },
    };
    await expect(profileDataset({ format: "csv", file: watched, limits: { rowBytes: 1_000_000 } })).rejects.toThrow(
      "never closed",
    );
    expect(furthest).toBeLessThan(3_000_000);
  });

  const withLimits = async (text: string, limits: object) =>
    await profileDataset({ format: "csv", file: file(text), limits }).then(
      () => undefined,
      (error: AimassError) => [error.reason, error.field],
    );

  const wideHeader = (columns: number) => Array.from({ length: columns }, (_, index) => `c${index}`).join(",");

  it.each([
    ["a row without end", `a\n${"x".repeat(3_000_000)}`, { rowBytes: 1_000_000 }, "rowBytes"],
    [
      "a row of many cells that are long together",
      `a,b\n${"x".repeat(9e5)},${"y".repeat(9e5)}\n`,
      { rowBytes: 1_000_000 },
      "rowBytes",
    ],
    ["a cell of many bytes", `a\n${"x".repeat(5 * 1024 * 1024)}\n`, {}, "cellBytes"],
    ["a header of many columns", `${",".repeat(20_000)}\n`, {}, "columns"],
    ["a row of many cells", `a\n${",".repeat(20_000)}\n`, {}, "columns"],
    ["one column more than few that are allowed", "a,b,c\n1,2,3\n", { columns: 2 }, "columns"],
    ["one column more than many that are allowed", `${wideHeader(10_001)}\n`, {}, "columns"],
    ["more rows than allowed", `a\n${"1\n".repeat(1001)}`, { rows: 1000 }, "rows"],
  ])("refuse %s", async (_, text, limits, field) => {
    expect(await withLimits(text, limits)).toEqual(["DATASET_LIMIT", field]);
  });

  it("take as many columns as are allowed", async () => {
    expect(await withLimits("a,b\n1,2\n", { columns: 2 })).toBeUndefined();
    expect(await withLimits(`${wideHeader(100)}\n${"1,".repeat(99)}1\n`, { columns: 100 })).toBeUndefined();
  });
});
