import { describe, expect, it } from "vitest";
import { memoryFile } from "../data-file.ts";
import { profileDataset } from "../dataset.ts";
import type { ColumnType, DatasetFormat } from "../schema.ts";

async function profile(format: DatasetFormat, text: string, types: Record<string, ColumnType>) {
  const file = memoryFile(Buffer.from(text));
  const found = await profileDataset({ format, file, types: new Map(Object.entries(types)) });
  const [column] = found.columns;
  return { ...found, column };
}

describe("a column whose type is declared", () => {
  it("keeps codes as text, without asking what they look like", async () => {
    const { column, warnings, preview } = await profile("csv", "zip,n\n1234,1\n999,2\n1234,3\n", { zip: "string" });
    expect(column).toMatchObject({
      type: "string",
      distinct: { count: 2 },
      statistics: { shortest: 3, longest: 4, looks: "category" },
    });
    expect(preview.columns.get("zip")?.values).toEqual(["1234", "999", "1234"]);
    expect(warnings).toEqual([]);
  });

  it("keeps numbers as people write them as text where it is declared so", async () => {
    const text = `price\n${"1\n".repeat(20)}"1,234"\n`;
    await expect(profile("csv", text, {})).rejects.toMatchObject({ reason: "BAD_CELL" });
    expect((await profile("csv", text, { price: "string" })).column).toMatchObject({ type: "string", count: 21 });
  });

  it("refuses the first cell that is not of it, with its place", async () => {
    await expect(profile("csv", "a\n1\nNA\nx\n", { a: "number" })).rejects.toMatchObject({
      message: 'Row 3 (line 4), column "a": "x" is not a number.',
      field: "rows[3].a",
    });
    await expect(profile("tsv", "a\tb\nyes\t1\nmaybe\t1\n", { a: "boolean" })).rejects.toMatchObject({
      message: expect.stringContaining('Row 2 (line 3), column "a": "maybe" is neither true nor false'),
    });
    await expect(profile("json-lines", '{"a":"1.5"}\n{"a":true}\n', { a: "number" })).rejects.toMatchObject({
      message: expect.stringContaining('Row 2 (line 2), column "a": "true" is not a number'),
    });
  });

  it("takes JSON values of mixed types as text", async () => {
    const text = '{"a":1}\n{"b":2}\n{"a":"x"}\n{"a":null,"b":1}\n';
    const { column, preview, rows } = await profile("json-lines", text, { a: "string" });
    expect([rows, column?.missing, column?.type]).toEqual([4, 2, "string"]);
    expect(preview.columns.get("a")?.values).toEqual(["1", undefined, "x", undefined]);
  });

  it("counts 0 and 1, yes and no as truths where it is declared so", async () => {
    const { column } = await profile("csv", "a\n1\n0\nyes\nNo\n\n", { a: "boolean" });
    expect(column).toMatchObject({ type: "boolean", count: 4, statistics: { kind: "boolean", trueCount: 2 } });
  });

  it("must be there, and cannot hold images", async () => {
    await expect(profile("csv", "a\n1\n", { b: "number" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      field: "types",
      message: 'There is no column "b".',
    });
    await expect(profile("csv", "a\n1\n", { a: "image" })).rejects.toMatchObject({ field: "types" });
  });
});

describe("a profile", () => {
  it("counts characters as people do, and tells of a column that never changes", async () => {
    const { columns, warnings } = await profile("csv", "a,b\n😀,x\n好好,x\n", {});
    expect(columns[0]?.statistics).toMatchObject({ shortest: 1, longest: 2 });
    expect(warnings).toEqual(['Column "b" has the same value, "x", in all 2 rows.']);
  });
});
