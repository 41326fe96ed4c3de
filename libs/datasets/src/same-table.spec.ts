import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { expect, it } from "vitest";
import { detectFormat, memoryFile, profileDataset } from "./index.ts";
import { workbookOf } from "./xlsx/workbook-writer.fixture.ts";

type Cell = number | string | boolean | null;
type Row = Readonly<Record<"n" | "s" | "b", Cell>>;

const number = fc.double({ noNaN: true, noDefaultInfinity: true });

/** A row of each type, some of it missing. Texts begin with a letter: what looks like a number is one in CSV alone. */
const row: fc.Arbitrary<Row> = fc.record({
  n: fc.option(number),
  s: fc.option(fc.stringMatching(/^t[a-zé,;"\n&<> ]{0,6}x$/)),
  b: fc.option(fc.boolean()),
});
const names = ["n", "s", "b"] as const;

const csvCell = (cell: Cell) => (typeof cell === "string" ? `"${cell.replaceAll('"', '""')}"` : (cell ?? ""));
const csv = (rows: readonly Row[]) =>
  [names.join(","), ...rows.map((one) => names.map((name) => csvCell(one[name])).join(","))].join("\n");

function sheetCell(cell: Cell): string {
  if (cell === null) return "<c/>";
  if (typeof cell === "number") return `<c><v>${cell}</v></c>`;
  if (typeof cell === "boolean") return `<c t="b"><v>${Number(cell)}</v></c>`;
  const text = cell.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<c t="inlineStr"><is><t xml:space="preserve">${text}</t></is></c>`;
}

function workbook(rows: readonly Row[]): Uint8Array {
  const all = [names.map(sheetCell), ...rows.map((one) => names.map((name) => sheetCell(one[name])))];
  return workbookOf({ sheets: { S: all.map((cells) => `<row>${cells.join("")}</row>`).join("") } });
}

const byColumn = (values: (name: keyof Row) => unknown) =>
  JSON.stringify(Object.fromEntries(names.map((name) => [name, values(name)])));

const written: Readonly<Record<string, (rows: readonly Row[]) => Uint8Array | string>> = {
  tsv: (rows) => csv(rows).replaceAll(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/g, "\t"),
  "csv.gz": (rows) => gzipSync(csv(rows)),
  "csv.zst": (rows) => zstdCompressSync(csv(rows)),
  jsonl: (rows) => rows.map((one) => `${JSON.stringify(one)}\n`).join(""),
  "json of records": (rows) => JSON.stringify(rows, undefined, 2),
  "json of columns": (rows) => byColumn((name) => Object.fromEntries(rows.map((one, i) => [i, one[name]]))),
  "json of lists": (rows) => byColumn((name) => rows.map((one) => one[name])),
  "json of split": (rows) =>
    JSON.stringify({ columns: names, index: rows.map((_, i) => i), data: rows.map((one) => names.map((n) => one[n])) }),
  xlsx: workbook,
};

async function profileOf(bytes: Uint8Array | string) {
  const file = memoryFile(Buffer.from(bytes));
  const { rows, columns, preview } = await profileDataset({ format: await detectFormat(file), file });
  return { rows, columns, preview };
}

it.each(Object.keys(written))("one table has the profile in %s that it has in CSV", async (format) => {
  const write = written[format] as (rows: readonly Row[]) => Uint8Array | string;
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 2, maxLength: 12 }), async (rows) => {
      // Rows without a value at the end of a sheet are no rows of it.
      const whole = [...rows, { n: 1, s: "tx", b: true }];
      expect(await profileOf(write(whole))).toEqual(await profileOf(csv(whole)));
    }),
    { numRuns: 60 },
  );
});

it("numbers that one of them makes text are as long in JSON as in CSV", async () => {
  for (const numbers of [
    ["100.25", "200.5", "1000.75", "9007199254740993"],
    ["0", "0.30000000000000004", "1", "9007199254740993"],
  ]) {
    const lines = await profileOf(numbers.map((number) => `{"v":${number}}\n`).join(""));
    expect(lines.columns).toEqual((await profileOf(["v", ...numbers].join("\n"))).columns);
  }
});
