import type { DateOrder } from "@aimass/core";
import { describe, expect, it } from "vitest";
import { columnKind, type DatasetOptions, memoryFile, openDataset, profileDataset } from "../index.ts";

const fileOf = (cells: readonly string[]) =>
  memoryFile(Buffer.from(`day,y\n${cells.map((cell, row) => `"${cell}",${row}\n`).join("")}`));

async function read(cells: readonly string[], options: Partial<DatasetOptions> = {}) {
  const found = await profileDataset({ format: "csv", file: fileOf(cells), previewRows: 50, ...options });
  const [column] = found.columns;
  if (column === undefined) return expect.fail();
  const values = found.preview.columns.get("day")?.values ?? [];
  return { ...found, column, kind: columnKind(column), values: Array.from(values as ArrayLike<unknown>) };
}

const declared = (order: DateOrder) => ({ dates: new Map([["day", order]]) });

describe("a column of dates that are not ISO 8601", () => {
  it.each<[string, string[], string, string[]]>([
    ["dots", ["01.02.2024", "13.02.2024"], "DD.MM.YYYY", ["2024-02-01", "2024-02-13"]],
    ["slashes, the month first", ["02/01/2024", "02/13/2024"], "MM/DD/YYYY", ["2024-02-01", "2024-02-13"]],
    ["slashes, the day first", ["02/01/2024", "13/02/2024"], "DD/MM/YYYY", ["2024-01-02", "2024-02-13"]],
    ["hyphens", ["13-02-2024", "1-3-2024"], "DD-MM-YYYY", ["2024-02-13", "2024-03-01"]],
    ["years of two digits", ["1.2.24", "13.2.98"], "DD.MM.YY", ["2024-02-01", "1998-02-13"]],
    ["the year first", ["2024/02/01", "2024/2/3"], "YYYY/MM/DD", ["2024-02-01", "2024-02-03"]],
    ["hyphens without zeros", ["2024-2-1", "2024-02-03"], "YYYY-MM-DD", ["2024-02-01", "2024-02-03"]],
    ["month names", ["Feb 1, 2024", "March 13, 2024"], "Month DD, YYYY", ["2024-02-01", "2024-03-13"]],
    ["month names in the middle", ["1 February 2024", "13 Mar 2024"], "DD Month YYYY", ["2024-02-01", "2024-03-13"]],
    ["databases", ["01-FEB-24", "13-MAR-99"], "DD-Month-YY", ["2024-02-01", "1999-03-13"]],
  ])("is read where one pattern fits all rows: %s", async (_, cells, pattern, iso) => {
    const { kind, column, values, warnings, schema } = await read([...cells, ""]);
    expect(warnings).toEqual([]);
    expect(kind).toBe("date");
    expect(column).toMatchObject({ type: "string", count: 2, missing: 1, dates: pattern, distinct: { count: 2 } });
    expect(column.frequent?.values.map(({ value }) => value).sort()).toEqual([...iso].sort());
    expect(values).toEqual([...iso, undefined]);
    expect(schema.columns[0]).toEqual({ name: "day", type: "string", dates: pattern });
  });

  it("has the lengths of all its days, also of those that are too many to be counted one by one", async () => {
    const days = Array.from({ length: 3000 }, (_, i) => new Date(Date.UTC(2000, 0, 1 + i)).toISOString().slice(0, 10));
    const cells = [...days.map((day) => day.split("-").reverse().join(".")), ...Array(1500).fill("31.02.2024")];
    const { column } = await read(cells, declared("DMY"));
    expect(column.statistics).toEqual({ kind: "string", looks: "date", shortest: 10, longest: 10 });
    const mixed = await read(["01.02.2024 13:45", ...cells], declared("DMY"));
    expect(mixed.column.statistics).toMatchObject({ shortest: 10, longest: 16 });
  });

  it("is one of moments where a time of day stands behind them", async () => {
    const { kind, values } = await read(["01.02.2024 13:45", "13.02.2024 1:45 PM", "14.02.2024"]);
    expect(kind).toBe("datetime");
    expect(values).toEqual(["2024-02-01T13:45", "2024-02-13T13:45", "2024-02-14"]);
  });

  it.each(["json-lines", "csv"] as const)("is read as such again, by its schema: %s", async (format) => {
    const days = ["01.02.2024", "13.02.2024", "31.02.2024", "14.02.2024"];
    const csv = `day,y\n${days.map((day) => `${day},1\n`).join("")}`;
    const json = days.map((day) => `${JSON.stringify({ day, y: 1 })}\n`).join("");
    const file = memoryFile(Buffer.from(format === "csv" ? csv : json));
    const { schema, columns, preview } = await profileDataset({ format, file });
    expect((await profileDataset({ format, file, schema })).columns).toEqual(columns);
    await using dataset = await openDataset({ format, file, schema });
    for await (const batch of dataset.batches({ batchRows: 9 })) expect(batch).toEqual(preview);
  });

  it("that could have day and month either way is not guessed, and it is said how to say it", async () => {
    const cells = ["01/02/2024", "03/04/2024", "05/06/2024"];
    const { column, values, warnings } = await read(cells);
    expect(column.dates).toBeUndefined();
    expect(values).toEqual(cells);
    expect(warnings).toEqual([
      'Column "day" is not read as dates: "01/02/2024" may be 2024-02-01 (DMY) or 2024-01-02 (MDY), and no value decides it. Say which: --type day=date:DMY or --type day=date:MDY (in the API: read.dates).',
    ]);
    expect((await read(cells, declared("DMY"))).values).toEqual(["2024-02-01", "2024-04-03", "2024-06-05"]);
    expect((await read(cells, declared("MDY"))).values).toEqual(["2024-01-02", "2024-03-04", "2024-05-06"]);
    await expect(read(cells, declared("YMD"))).rejects.toThrow(
      'Column "day" cannot be read as dates in the order YMD: its values are not written so.',
    );
  });

  it("with years of two digits is not guessed where they may stand first", async () => {
    const { warnings } = await read(["24-02-13", "24-02-14"]);
    expect(warnings[0]).toContain('"24-02-13" may be 2013-02-24 (DMY) or 2024-02-13 (YMD)');
    expect((await read(["24-02-13", "98-02-14"])).values).toEqual(["2024-02-13", "1998-02-14"]);
    expect((await read(["13-02-24", "14-02-98"])).values).toEqual(["2024-02-13", "1998-02-14"]);
  });

  it("is not read where its rows contradict each other", async () => {
    expect((await read(["13/02/2024", "02/13/2024", "01/02/2024"])).warnings).toEqual([
      'Column "day" is not read as dates: they are written in different ways, such as "13/02/2024" and "02/13/2024". Write all in one way, best as 2024-01-31.',
    ]);
    expect((await read(["13.02.2024", "2024-02-14", "01/15/2024"])).warnings[0]).toContain(
      '"13.02.2024" and "2024-02-14"',
    );
  });

  it("has its impossible days counted and told", async () => {
    const { column, values, warnings } = await read([
      "01.02.2024",
      "31.02.2024",
      "13.02.2024",
      "00.00.0000",
      "?",
      "1.1.2024",
    ]);
    expect(column).toMatchObject({ dates: "DD.MM.YYYY", count: 3, missing: 3, distinct: { count: 3 } });
    expect(values.slice(0, 3)).toEqual(["2024-02-01", undefined, "2024-02-13"]);
    expect(warnings).toEqual([
      'Column "day" is read as dates (DD.MM.YYYY): values such as "31.02.2024" in 3 of 6 rows are no day and count as missing. To keep it as text, declare it so: --type day=string (in the API: read.types).',
    ]);
    expect((await read(["2024-02-01", "2024-02-30", "2024-02-13"])).column).toMatchObject({
      dates: "YYYY-MM-DD",
      count: 2,
    });
  });

  it("is told where a word keeps it from being read", async () => {
    const days = Array.from({ length: 28 }, (_, i) => `${i + 1}.2.2024`);
    expect((await read([...days, "soon"])).warnings).toEqual([
      'Column "day" is not read as dates (DD.MM.YYYY) because of 1 of 29 values that are no days; the first is "soon". If it means "no value", say so: --missing soon (in the API: read.missing).',
    ]);
  });

  it("is text where it is declared so, and it is said that these are dates", async () => {
    const { values, kind, warnings } = await read(["20240201", "20240202"], { types: new Map([["day", "string"]]) });
    expect(values).toEqual(["20240201", "20240202"]);
    expect(kind).toBe("category");
    expect(warnings).toEqual([
      'Column "day" is text, as it is declared. To read it as dates, declare it so: --type day=date:YMD (in the API: read.dates).',
    ]);
    expect((await read(["20240201", "20240213"], declared("YMD"))).values).toEqual(["2024-02-01", "2024-02-13"]);
  });

  it("is told where its digits make it numbers, and read where they are texts", async () => {
    const { column, warnings } = await read(["20240201", "20240213", "20240301"]);
    expect(column.type).toBe("number");
    expect(warnings).toEqual([
      'Column "day" is read as numbers, which look like days: 20240201 may be 2024-02-01. To read it as dates, declare it so: --type day=date:YMD (in the API: read.dates).',
    ]);
    const json = ["20240201", "20240213"].map((day) => JSON.stringify({ day })).join("\n");
    const found = await profileDataset({ format: "json-lines", file: memoryFile(Buffer.from(json)) });
    expect(found.columns[0]).toMatchObject({ dates: "YYYYMMDD", statistics: { looks: "date" } });
  });

  it.each([
    ["versions", ["1.2.3", "1.13.4", "2.0.1"]],
    ["addresses", ["10.0.0.1", "10.0.0.2"]],
    ["codes of eight digits", ["20240201x", "99999999"]],
    ["telephone numbers", ["12-34-5678", "98-76-5432"]],
    ["words", ["May", "March", "June"]],
    ["ratios", ["1/2", "3/4"]],
  ])("is not seen among %s", async (_, cells) => {
    const { column, warnings } = await read(cells);
    expect([column.dates, warnings]).toEqual([undefined, []]);
  });
});
