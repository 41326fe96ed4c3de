import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ColumnData, detectFormat, memoryFile, openDataset, profileDataset, valueAt } from "../index.ts";
import { wholeTable } from "../whole-table.fixture.ts";

type Cell = number | string | boolean | null;

/** A table as pandas has it. */
interface Frame {
  readonly index: readonly (string | number)[];
  readonly columns: Readonly<Record<string, readonly Cell[]>>;
}

const kinds: readonly fc.Arbitrary<Cell>[] = [
  fc.integer({ min: -9, max: 9 }),
  fc.constantFrom("tx", "ty", "tz"),
  fc.boolean(),
];
const numbering = (length: number) => fc.constant(Array.from({ length }, (_, i) => i));
const texts = (prefix: string) => (length: number) =>
  fc.constant(Array.from({ length }, (_, i) => `${prefix}${String.fromCharCode(97 + i)}`));
const years = (length: number) => fc.constant(Array.from({ length }, (_, i) => 2019 + i));

const frames = (
  rowNames: (length: number) => fc.Arbitrary<readonly (string | number)[]>,
  columnNames: (length: number) => fc.Arbitrary<readonly (string | number)[]>,
): fc.Arbitrary<Frame> =>
  fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 })).chain(([rows, width]) => {
    const cells = fc
      .constantFrom(...kinds)
      .chain((kind) => fc.array(fc.option(kind, { freq: 6 }), { minLength: rows, maxLength: rows }));
    return fc
      .record({
        index: rowNames(rows),
        names: columnNames(width),
        data: fc.array(cells, { minLength: width, maxLength: width }),
      })
      .map(({ index, names, data }) => ({
        index,
        columns: Object.fromEntries(names.map((name, at) => [String(name), data[at] as Cell[]])),
      }));
  });

const rowsOf = ({ index, columns }: Frame) =>
  index.map((_, row) => Object.fromEntries(Object.entries(columns).map(([name, cells]) => [name, cells[row]])));
const member = (name: unknown, value: unknown) => `${JSON.stringify(String(name))}:${JSON.stringify(value)}`;

/** As `to_json` writes the orientations that have names for columns, to the order of members: numbers stay where they stand. */
const written: Readonly<Record<string, (frame: Frame) => string>> = {
  columns: ({ index, columns }) =>
    `{${Object.entries(columns)
      .map(([name, cells]) => `${JSON.stringify(name)}:{${index.map((row, at) => member(row, cells[at])).join(",")}}`)
      .join(",")}}`,
  index: (frame) =>
    `{${rowsOf(frame)
      .map((row, at) => member(frame.index[at], row))
      .join(",")}}`,
  records: (frame) => JSON.stringify(rowsOf(frame)),
  split: ({ index, columns }) =>
    JSON.stringify({
      columns: Object.keys(columns),
      index,
      data: index.map((_, row) => Object.values(columns).map((cells) => cells[row])),
    }),
  table: (frame) =>
    JSON.stringify({
      schema: { fields: [], primaryKey: ["index"], pandas_version: "1.4.0" },
      data: rowsOf(frame).map((row, at) => ({ index: frame.index[at], ...row })),
    }),
};

const cellsOf = ({ columns }: Frame) =>
  Object.fromEntries(Object.entries(columns).map(([name, cells]) => [name, cells.map((cell) => cell ?? undefined)]));

/** What is read, or "cannot be told" where that is said, in a refusal or in a warning. */
async function readOrTold(text: string) {
  try {
    const { table, warnings } = await wholeTable(text);
    return warnings.some((warning) => /^The outer (?:and the inner )?names/.test(warning)) ? "cannot be told" : table;
  } catch (error) {
    if (/is the name of a column cannot be told/.test(String(error))) return "cannot be told";
    throw error;
  }
}

const orientations = ["records", "split", "table", "columns", "index"];
/** Numbers inside and texts outside are columns with the index that pandas gives them: what it writes unless told otherwise. */
const notByIndex = orientations.filter((name) => name !== "index");
const named = [
  ["rows that count", numbering, texts("c"), orientations],
  ["rows with years", years, texts("c"), orientations],
  ["rows with names", texts("r"), texts("c"), orientations],
  ["rows with names, and columns that count", texts("r"), numbering, notByIndex],
  ["rows with names, and columns of years", texts("r"), years, notByIndex],
  ["rows and columns that count", numbering, numbering, orientations],
] as const;

describe.each(named)("a table of pandas with %s", (_, rowNames, columnNames, those) => {
  it.each(those)("is never read across when it was written as %s", async (orientation) => {
    const write = written[orientation] as (frame: Frame) => string;
    await fc.assert(
      fc.asyncProperty(frames(rowNames, columnNames), async (frame) => {
        const found = await readOrTold(write(frame));
        const mayAsk = orientation === "columns" || orientation === "index";
        if (found !== "cannot be told" || !mayAsk) expect(found).toEqual(cellsOf(frame));
      }),
      { numRuns: 60 },
    );
  });
});

describe("an object of objects", () => {
  const twoWays = '{"a":{"Bo":1,"Li":2},"b":{"Bo":3,"Li":4},"c":{"Bo":5,"Li":6}}';

  it.each(["columns", "index"])("whose rows count is read without a doubt, as %s", async (orientation) => {
    const write = written[orientation] as (frame: Frame) => string;
    await fc.assert(
      fc.asyncProperty(frames(numbering, texts("c")), async (frame) => {
        const table = await wholeTable(write(frame));
        expect(table.table).toEqual(cellsOf(frame));
      }),
      { numRuns: 60 },
    );
  });

  it("whose rows and columns have names is read by its values, where each column has one kind", async () => {
    const byColumn = '{"a":{"Bo":1,"Li":2},"b":{"Bo":"x","Li":"y"},"c":{"Bo":null,"Li":5}}';
    expect((await wholeTable(byColumn)).table).toEqual({ a: [1, 2], b: ["x", "y"], c: [undefined, 5] });
    const byRow = '{"Bo":{"a":1,"b":"x"},"Li":{"a":2,"b":"y"}}';
    expect((await wholeTable(byRow)).table).toEqual({ a: [1, 2], b: ["x", "y"] });
  });

  it("whose rows lack some of the names is one of rows", async () => {
    expect((await wholeTable('{"Bo":{"a":1,"b":2},"Li":{"b":3}}')).table).toEqual({ a: [1, undefined], b: [2, 3] });
  });

  it.each([
    twoWays,
    '{"a":{"Bo":1,"Li":2},"b":{"Bo":3,"Li":4}}',
    '{"a":{"Bo":1}}',
    '{"2019":{"DE":1},"2020":{"DE":3}}',
  ])("of which either may be meant is refused, with how to write it: %s", async (text) => {
    await expect(wholeTable(text)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(/^Whether "\w+" or "\w+" is the name of a column cannot be told/),
      remedy: expect.stringMatching(/orient="records".*--columns NAME/),
    });
  });

  it("is read by the columns that are named, and then always", async () => {
    const byColumn = { a: [1, 2], b: [3, 4], c: [5, 6] };
    expect((await wholeTable(twoWays, { columns: ["a", "b", "c"] })).table).toEqual(byColumn);
    expect((await wholeTable(twoWays, { types: new Map([["a", "number"]]) })).table).toEqual(byColumn);
    expect((await wholeTable(twoWays, { columns: ["Li", "Bo"] })).table).toEqual({ Bo: [1, 3, 5], Li: [2, 4, 6] });
    const rowA = '{"a":{"a":1,"Li":2},"b":{"a":3,"Li":4}}';
    expect((await wholeTable(rowA, { types: new Map([["b", "number"]]) })).table).toEqual({ a: [1, 2], b: [3, 4] });
    const renamed = await wholeTable(twoWays, { columns: ["Li"], rename: new Map([["Li", "a"]]) });
    expect(renamed.table).toEqual({ a: [2, 4, 6] });
  });

  it("of a version from before is read as its schema says", async () => {
    const column = (name: string) => ({ name, type: "number" as const });
    const schema = { columns: [column("Bo"), column("Li")], missing: [] };
    const file = memoryFile(Buffer.from(twoWays));
    await using dataset = await openDataset({ format: "json", file, schema });
    for await (const { rows, columns } of dataset.batches({ batchRows: 9 })) {
      expect(rows).toBe(3);
      expect(valueAt(columns.get("Li") as ColumnData, 2)).toBe(6);
    }
  });

  it("whose names are all numbers, or count outside, is read as is usual, and that is said", async () => {
    const numbers = await wholeTable('{"0":{"0":1,"1":2},"1":{"0":3,"1":4}}');
    expect(numbers.table).toEqual({ 0: [1, 2], 1: [3, 4] });
    expect(numbers.warnings).toContainEqual(expect.stringContaining("If they are rows, write them so: to_json("));
    const counted = await wholeTable('{"0":{"a":1,"b":2},"1":{"a":3,"b":4}}');
    expect(counted.table).toEqual({ a: [1, 3], b: [2, 4] });
    expect(counted.warnings).toContainEqual(expect.stringContaining("taken for the numbers of its rows"));
    const columns = await wholeTable('{"0":{"a":1,"b":2},"1":{"a":3,"b":4}}', { columns: ["0", "1"] });
    expect(columns.table).toEqual({ 0: [1, 2], 1: [3, 4] });
  });

  it("of endlessly many members is refused before they are held", async () => {
    const limits = { columns: 100 };
    const profile = (text: string) => profileDataset({ format: "json", file: memoryFile(Buffer.from(text)), limits });
    const many = (member: (i: number) => string) => `{${Array.from({ length: 101 }, (_, i) => member(i)).join(",")}}`;
    for (const text of [
      many((i) => `"c${i}":[1]`),
      many((i) => `"c${i}":{"0":1}`),
      `{"columns":[${"1,".repeat(100)}1],"data":[[1]]}`,
      `{"schema":{"primaryKey":["i"]},"data":[${many((i) => `"c${i}":1`)}]}`,
    ])
      await expect(profile(text)).rejects.toMatchObject({ reason: "DATASET_LIMIT", field: "columns" });
    const long = `{"a":{"0":"${"x".repeat(400)}"},"b":{"0":"${"x".repeat(700)}"}}`;
    const file = memoryFile(Buffer.from(long));
    expect(await detectFormat(file)).toBe("json");
    await expect(profileDataset({ format: "json", file, limits: { rowBytes: 1000 } })).rejects.toMatchObject({
      field: "rowBytes",
      message: "Row 1 has at least 1,114 bytes; the limit is 1,000.",
    });
  });
});
