import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { memoryFile, profileDataset } from "../index.ts";
import { wholeTable } from "../whole-table.fixture.ts";
import { styleOf } from "./number-styles.ts";
import { workbookOf } from "./workbook-writer.fixture.ts";

const fixture = (name: string) => readFile(new URL(`./fixtures/${name}.xlsx`, import.meta.url));
const text = (words: string) => `<c t="inlineStr"><is><t>${words}</t></is></c>`;
const row = (...cells: readonly string[]) => `<row>${cells.join("")}</row>`;
const sheet = (rows: string) => workbookOf({ sheets: { S: rows } });

describe("a workbook", () => {
  it("that pandas wrote has its table, without the index", async () => {
    const { table, warnings, format } = await wholeTable(await fixture("xlsxwriter-index"));
    expect(format).toBe("xlsx");
    expect(table).toEqual({
      n: [1, 2.5, undefined],
      s: ['x, "y"', "é\nz", undefined],
      b: [true, false, true],
      day: ["2024-02-01", "2024-02-29", "1999-12-31"],
      at: ["2024-02-01T10:00:00", "2024-02-01T10:00:01.500", undefined],
    });
    expect(warnings).toEqual([expect.stringContaining("The first column has no name")]);
  });

  it("has dates, times, truths, errors, gaps and formulas as they are meant", async () => {
    const { table, warnings, schema } = await wholeTable(await fixture("openpyxl-sheets"));
    expect(table).toEqual({
      id: ["007", "008", undefined, "009"],
      price: [0.3, 1e-7, undefined, undefined],
      when: ["2024-02-01", "2024-02-01T12:00:00", undefined, undefined],
      t: ["10:30:00", "23:59:59", undefined, undefined],
      f: [undefined, undefined, undefined, undefined],
      ok: [true, false, undefined, undefined],
    });
    expect(schema.sheet).toBe("First");
    expect(warnings.slice(0, 3)).toEqual([
      'The workbook has 2 sheets; the first, "First", is read. For another, name it: --sheet NAME (in the API: read.sheet).',
      "The sheet has 1 cell with an error, such as #N/A in B6; it counts as empty.",
      expect.stringContaining("The sheet has 2 cells with a formula that was never computed, such as E3"),
    ]);
  });

  it("is read by the sheet that is named, a hidden one too, and then always by it", async () => {
    const bytes = await fixture("openpyxl-sheets");
    expect(await wholeTable(bytes, { sheet: "Zwei & <3>" })).toMatchObject({
      table: { a: [1, 2], b: ["x", "y"] },
      warnings: [],
    });
    expect((await wholeTable(bytes, { sheet: "Hidden" })).table).toEqual({ h: [1] });
    await expect(wholeTable(bytes, { sheet: "zwei" })).rejects.toMatchObject({
      message: 'The workbook has no sheet "zwei".',
      remedy: 'Its sheets are "First", "Zwei & <3>", "Hidden".',
    });
  });

  it("has columns that are chosen, renamed and typed", async () => {
    const bytes = await fixture("xlsxwriter-index");
    const choices = { columns: ["n", "s"], rename: new Map([["n", "m"]]), types: new Map([["n", "string"]] as const) };
    expect((await wholeTable(bytes, choices)).table).toEqual({
      m: ["1", "2.5", undefined],
      s: ['x, "y"', "é\nz", undefined],
    });
  });

  it("of other programs may have prefixes, shared and rich texts, holes and no places", async () => {
    const bytes = workbookOf({
      prefix: "x",
      strings: [
        "<x:t>a</x:t>",
        '<x:t xml:space="preserve">b </x:t>',
        "<x:r><x:t>ri</x:t></x:r><x:r><x:t>ch_x000A_&amp;&#233;</x:t></x:r><x:rPh><x:t>no</x:t></x:rPh>",
      ],
      sheets: {
        S: '<x:row r="2"><x:c r="A2" t="s"><x:v>0</x:v></x:c><x:c r="C2" t="s"><x:v>1</x:v></x:c></x:row><x:row r="3"><x:c r="C3" t="s"><x:v>2</x:v></x:c><x:c r="A3"><x:v>1</x:v></x:c></x:row><x:row r="5"><x:c r="A5"><x:v>2E+2</x:v></x:c><x:c r="B5" s="0"/></x:row><x:row r="900"/>',
      },
    });
    expect((await wholeTable(bytes)).table).toEqual({ a: [1, undefined, 200], b: ["rich\n&é", undefined, undefined] });
  });

  it("may count its days from 1904 on", async () => {
    const cells =
      row(text("d")) + row('<c s="1"><v>59</v></c>') + row('<c s="1"><v>61.5</v></c>') + row('<c s="1"><v>9e9</v></c>');
    const written = { sheets: { S: cells }, formats: ["yyyy-mm-dd"] };
    expect((await wholeTable(workbookOf(written))).table).toEqual({ d: ["1900-02-28", "1900-03-01T12:00:00", "9e9"] });
    expect((await wholeTable(workbookOf({ ...written, from1904: true }))).table.d).toContain("1904-02-29");
  });

  it("has cells of shared texts that are empty", async () => {
    const sheet = '<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c></row><row><c t="s"/><c><v>1</v></c></row>';
    const strings = ["<t>a</t>", "<t>b</t>"];
    const { table } = await wholeTable(
      workbookOf({ sheets: { S: `${sheet}<row><c t="s"><v></v></c><c><v>2</v></c></row>` }, strings }),
    );
    expect(table.b).toEqual([1, 2]);
    expect(table.a).toEqual([undefined, undefined]);
  });

  it("with a tag that has no end is refused in time", async () => {
    const startedAt = performance.now();
    const sheet = `<row><c t="n"><v>1</v></c></row><${"a".repeat(60_000)}`;
    await expect(wholeTable(workbookOf({ sheets: { S: sheet } }))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(performance.now() - startedAt).toBeLessThan(3000);
  });

  it("that is compressed once more, or is named another format, is told", async () => {
    const bytes = sheet(row(text("a")) + row("<c><v>1</v></c>"));
    await expect(wholeTable(gzipSync(bytes))).rejects.toMatchObject({ remedy: expect.stringContaining("gunzip") });
    for (const format of ["csv", "image-zip"] as const) {
      const work = profileDataset({ format, file: memoryFile(bytes) });
      await expect(work).rejects.toMatchObject({ remedy: expect.stringContaining("Leave its format out") });
    }
  });

  it.each([
    ["has no cells", sheet(""), 'Sheet "S" is empty.'],
    ["has a header alone", sheet(row(text("a"))), "The file has a header and no rows."],
    [
      "has a title above its table",
      sheet(row(text("Sales")) + row(text("a"), text("b"))),
      "there is a value in column 2 of the sheet (row 2), but the header has 1",
    ],
    [
      "refers to texts that are not there",
      sheet(row('<c t="s"><v>7</v></c>')),
      "cell row 1 refers to a text that is not there",
    ],
    ["has XML that is cut off", sheet("<row>"), "its XML is not whole"],
    ["has a document type", sheet("<!DOCTYPE x>"), "its XML is not whole"],
    ["has rows in disorder", sheet('<row r="2"/><row r="1"/>'), "row 1 follows row 2"],
    [
      "has a row far below the others",
      sheet(`${row(text("a"))}<row r="900000"><c><v>1</v></c></row>`),
      "row 900000 follows 899998 empty ones",
    ],
    [
      "has a name twice",
      sheet(row(text("a"), text("a")) + row("<c><v>1</v></c>")),
      'columns 1 and 2 are both named "a"',
    ],
  ])("that %s is refused with a sentence that says so", async (_, bytes, sentence) => {
    await expect(wholeTable(bytes)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(sentence),
    });
  });

  it("that asks for too much is refused by the limit, before it is unpacked", async () => {
    const bomb = sheet(row(text("a")) + `<row><c><v>1</v></c></row>`.repeat(400_000));
    await expect(profileDataset({ format: "xlsx", file: memoryFile(bomb) })).rejects.toMatchObject({
      field: "zipRatio",
    });
    const long = sheet(row(text("a")) + row(text("x".repeat(2000))));
    await expect(wholeTable(long, { limits: { cellBytes: 1000 } })).rejects.toMatchObject({ field: "cellBytes" });
    const shared = workbookOf({ sheets: { S: row(text("a")) }, strings: ["<t>hello</t>".repeat(100)] });
    await expect(wholeTable(shared, { limits: { workbookTextBytes: 100 } })).rejects.toMatchObject({
      field: "workbookTextBytes",
    });
    const wide = sheet(`<row><c r="ZZ1"><v>1</v></c></row>`);
    await expect(wholeTable(wide, { limits: { columns: 100 } })).rejects.toMatchObject({ field: "columns" });
  });

  it("of the binary kind, with a password or of old is called what it is", async () => {
    const binary = zipSync({ "[Content_Types].xml": Buffer.from("x"), "xl/workbook.bin": Buffer.from("x") });
    await expect(wholeTable(binary)).rejects.toThrow("a binary Excel workbook (.xlsb)");
    await expect(wholeTable(Buffer.from("d0cf11e0a1b11ae1", "hex"))).rejects.toMatchObject({
      message: expect.stringContaining("an old Excel workbook (.xls), one with a password"),
      remedy: expect.stringContaining("Save it as .xlsx without a password"),
    });
  });
});

describe("a format code", () => {
  it.each([
    ["General", "number"],
    ["0.00E+00", "number"],
    ['#,##0 "days"', "number"],
    ["[$USD-409] 0.00", "number"],
    ["[Red]0;[Blue]-0", "number"],
    ["[h]:mm:ss", "number"],
    ["dd.mm.yyyy", "date"],
    ["[$-407]d. mmmm yyyy;@", "date"],
    ["mmm-yy", "date"],
    ["h:mm AM/PM", "time"],
    ["yyyy\\-mm\\-dd hh:mm", "date"],
  ])("%j is a %s", (code, kind) => {
    expect(styleOf(200, code)).toBe(kind);
  });

  it("that is built in is known by its number", () => {
    expect([0, 2, 9, 14, 22, 20, 46].map((id) => styleOf(id, undefined))).toEqual([
      "number",
      "number",
      "number",
      "date",
      "date",
      "time",
      "number",
    ]);
  });
});
