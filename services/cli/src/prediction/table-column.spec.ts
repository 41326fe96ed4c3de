import { defaultMissing } from "@aimass/datasets";
import { describe, expect, it } from "vitest";
import { TableColumn, type TableWriting } from "./table-column.ts";

const csv: TableWriting = { missing: defaultMissing, isMissingNamed: false };
const column = (type: "number" | "string" | "boolean", table = csv, isNumeric = true, dates?: string) =>
  new TableColumn({ name: "c", type, ...(dates !== undefined && { dates }) }, table, { isNumeric });

describe("a cell for an input of numbers", () => {
  it.each([
    ["1.10", "1.10"],
    ["-3e5", "-3e5"],
    ["+.5", "0.5"],
    ["007", "7"],
    [" 12 ", "12"],
    ["9007199254740993", "9007199254740993"],
    ["", "null"],
    ["NA", "null"],
    ["?", '"?"'],
    ["1,5", '"1,5"'],
    ["0x10", '"0x10"'],
  ])("%j is %s", (text, json) => {
    expect(column("number").number(text)).toBe(json);
  });

  it("is a number as the file writes it, a truth, or a day of its pattern", () => {
    expect(column("number", { ...csv, decimal: ",", thousands: "." }).number("1.234,5")).toBe("1234.5");
    expect(column("boolean").number("Yes")).toBe("true");
    expect(column("string", csv, true, "DD.MM.YYYY").number("31.12.2024")).toBe('"2024-12-31"');
    expect(column("string", csv, true, "DD.MM.YYYY").number("31.02.2024")).toBe("null");
  });

  it("is no value where its word was named, also as a number", () => {
    const named = { ...csv, isMissingNamed: true, missing: ["-999", "old"] };
    expect(["-999.0", "old", "NA"].map((text) => column("number", named).number(text))).toEqual([
      "null",
      "null",
      '"NA"',
    ]);
  });
});

describe("a cell for an input of texts", () => {
  it("is the text that stands there, unless its word was named", () => {
    expect(["NA", "", "1.10"].map((text) => column("string").text(text))).toEqual(['"NA"', '""', '"1.10"']);
    expect(column("string", { ...csv, isMissingNamed: true, missing: ["NA"] }).text("NA")).toBe("null");
  });
});

it("a cell of another column is written as what it is", () => {
  expect(column("number", csv, false).value("1.10")).toBe("1.10");
  expect(column("boolean", csv, false).value("FALSE")).toBe("false");
  expect(column("string", csv, false).value("007")).toBe('"007"');
  expect(column("string", csv, false).value("NA")).toBe("null");
  expect(column("string", csv, true).value("4.5")).toBe("4.5");
  expect(column("string", { ...csv, missing: [] }, false).value("NA")).toBe('"NA"');
  expect(column("string", csv, false).value(undefined)).toBe("null");
});
