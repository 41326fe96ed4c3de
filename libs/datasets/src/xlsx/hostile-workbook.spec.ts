import { describe, expect, it } from "vitest";
import { defaultLimits, type Limits, memoryFile, profileDataset } from "../index.ts";
import { SheetRows } from "./sheet-rows.ts";
import { Workbook } from "./workbook.ts";
import { type WrittenWorkbook, workbookOf } from "./workbook-writer.fixture.ts";

const text = (words: string) => `<c t="inlineStr"><is><t>${words}</t></is></c>`;
const shared = '<c t="s"><v>0</v></c>';
const row = (...cells: readonly string[]) => `<row>${cells.join("")}</row>`;
const profile = (written: WrittenWorkbook, limits: Partial<Limits>) =>
  profileDataset({ format: "xlsx", file: memoryFile(workbookOf(written)), limits });

/** Lengths of the pieces in which the rows of a sheet come. */
async function pieceSizes(written: WrittenWorkbook): Promise<number[]> {
  const workbook = await Workbook.open(memoryFile(workbookOf(written)), defaultLimits, undefined);
  const sizes: number[] = [];
  for await (const piece of new SheetRows(workbook, workbook.sheet(undefined), defaultLimits).lines())
    sizes.push(piece.length);
  return sizes;
}

describe("a workbook that is far larger than its file", () => {
  const header = row(...Array.from({ length: 100 }, (_, i) => text(`c${i}`)));

  it("as its rows repeat a long text is refused at the first of them, before others are made", async () => {
    const rows = row(shared.repeat(100)).repeat(300);
    const written = { sheets: { S: header + rows }, strings: [`<t>${"x".repeat(100_000)}</t>`] };
    await expect(profile(written, { rowBytes: 1_000_000 })).rejects.toMatchObject({
      reason: "DATASET_LIMIT",
      field: "rowBytes",
      message: "Row 1 has at least 10,000,100 bytes; the limit is 1,000,000.",
    });
  });

  it("as its cells repeat a text, or leave rows out, is written in small pieces", async () => {
    const strings = [`<t>${"x".repeat(20_000)}</t>`];
    const repeated = await pieceSizes({ sheets: { S: row(text("a")) + row(shared).repeat(200) }, strings });
    expect(Math.max(...repeated)).toBeLessThan(100_000);
    expect(repeated.reduce((a, b) => a + b)).toBe(2 + 200 * 20_001);
    const last = row(text("x")).replace("<row>", '<row r="9000">');
    const sparse = await pieceSizes({ sheets: { S: header + last } });
    expect(Math.max(...sparse)).toBeLessThan(100_000);
    expect(sparse.reduce((a, b) => a + b)).toBeGreaterThan(8998 * 100);
  });

  it.each([
    ["texts", { strings: ["<t>hello</t>".repeat(500)] }, '"xl/sharedStrings.xml" of the workbook has'],
    ["styles", { formats: Array.from({ length: 100 }, () => "yyyy") }, '"xl/styles.xml" of the workbook has'],
    [
      "sheets",
      { sheets: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`sheet${i}`, row(text("a"))])) },
      '"xl/_rels/workbook.xml.rels" of the workbook has',
    ],
  ])("by its %s is refused before these are unpacked", async (_, written, sentence) => {
    const limits = { workbookTextBytes: 4000 };
    const sheets = { S: row(text("a")) + row(text("b")) };
    expect((await profile({ sheets }, limits)).rows).toBe(1);
    await expect(profile({ sheets, ...written }, limits)).rejects.toMatchObject({
      field: "workbookTextBytes",
      message: expect.stringContaining(sentence),
    });
  });

  it("by many texts of no letters is refused by what they take in memory", async () => {
    const strings = Array.from({ length: 500 }, () => "");
    const sheets = { S: row(text("a")) + row(text("b")) };
    await expect(profile({ sheets, strings }, { workbookTextBytes: 8000 })).rejects.toMatchObject({
      field: "workbookTextBytes",
      message: expect.stringMatching(/^Texts, styles and sheets of the workbook take 8,0\d\d bytes/),
    });
  });

  it.each([
    ["pieces of a text", `<c t="inlineStr"><is>${"<r><t>hello</t></r>".repeat(300)}</is></c>`],
    ["values", `<c>${"<v>12345</v>".repeat(300)}</c>`],
  ])("by a cell of endlessly many %s is refused while it is read", async (_, cell) => {
    await expect(profile({ sheets: { S: row(text("a")) + row(cell) } }, { cellBytes: 1000 })).rejects.toMatchObject({
      field: "cellBytes",
      message: expect.stringContaining("A text of the workbook has at least 1,00"),
    });
  });
});
