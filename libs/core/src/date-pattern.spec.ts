import { describe, expect, it } from "vitest";
import { datePattern, datePatterns, readDate } from "./date-pattern.ts";

const read = (text: string, name: string) => readDate(text, datePattern(name) ?? expect.fail(name));

describe("a day that is written by a pattern", () => {
  it.each([
    ["01.02.2024", "DD.MM.YYYY", "2024-02-01"],
    ["02/01/2024", "MM/DD/YYYY", "2024-02-01"],
    ["13-02-2024", "DD-MM-YYYY", "2024-02-13"],
    ["1.2.24", "DD.MM.YY", "2024-02-01"],
    ["1.2.69", "DD.MM.YY", "1969-02-01"],
    ["2024/02/01", "YYYY/MM/DD", "2024-02-01"],
    ["2024-2-1", "YYYY-MM-DD", "2024-02-01"],
    ["20240201", "YYYYMMDD", "2024-02-01"],
    ["Feb 1, 2024", "Month DD, YYYY", "2024-02-01"],
    ["Thursday, February 1st, 2024", "Month DD, YYYY", "2024-02-01"],
    ["1 February 2024", "DD Month YYYY", "2024-02-01"],
    ["01-FEB-24", "DD-Month-YY", "2024-02-01"],
    [" 01.02.2024 13:45", "DD.MM.YYYY", "2024-02-01T13:45"],
    ["01.02.2024, 1:45 PM", "DD.MM.YYYY", "2024-02-01T13:45"],
    ["2/1/2024 12:05:09 am", "MM/DD/YYYY", "2024-02-01T00:05:09"],
    ["2/1/2024 12:05:09.25 p.m. +0100", "MM/DD/YYYY", "2024-02-01T12:05:09.25+0100"],
    ["Thu, 01 Feb 2024 13:45:00 GMT", "DD Month YYYY", "2024-02-01T13:45:00Z"],
  ])("is read: %s as %s", (text, pattern, iso) => {
    expect(read(text, pattern)?.iso).toBe(iso);
  });

  it.each([
    ["31.02.2024", "DD.MM.YYYY"],
    ["00.00.0000", "DD.MM.YYYY"],
    ["02/13/2024", "DD/MM/YYYY"],
    ["1/2/2024 25:00", "DD/MM/YYYY"],
    ["1/2/2024 13:00 PM", "DD/MM/YYYY"],
    ["Feb 30, 2024", "Month DD, YYYY"],
  ])("is none where no calendar has it: %s as %s", (text, pattern) => {
    expect(read(text, pattern)).toMatchObject({ iso: undefined });
  });

  it.each([
    ["01/02/2024", "DD.MM.YYYY"],
    ["01.02.24", "DD.MM.YYYY"],
    ["01.02.2024 soon", "DD.MM.YYYY"],
    ["01.02/2024", "DD.MM.YYYY"],
    ["192.168.1.1", "DD.MM.YY"],
    ["1.2.3", "DD.MM.YY"],
    ["Marching 1, 2024", "Month DD, YYYY"],
    ["", "YYYYMMDD"],
  ])("is not taken for one that is written otherwise: %s as %s", (text, pattern) => {
    expect(read(text, pattern)).toBeUndefined();
  });

  it("has patterns of different names only", () => {
    expect(new Set(datePatterns.map(({ name }) => name)).size).toBe(datePatterns.length);
  });
});
