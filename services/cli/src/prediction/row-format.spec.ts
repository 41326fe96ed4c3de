import { expect, it } from "vitest";
import { resultFormat, rowFormat } from "./row-format.ts";
import { TableColumn } from "./table-column.ts";

const table = { missing: ["NA"], isMissingNamed: false };
const columns = [
  new TableColumn({ name: "a,b", type: "string" }, table, { isNumeric: false }),
  new TableColumn({ name: "n", type: "number" }, table, { isNumeric: false }),
];

it("cells with signs of CSV stand in quotes, others as they are in the file", () => {
  const csv = rowFormat("csv", columns);
  expect(csv.header(["y"])).toBe('"a,b",n,y\n');
  expect(csv.row(['say "hi"\nthere', "1.10"], ["y"], [9007199254740993n])).toBe(
    '"say ""hi""\nthere",1.10,9007199254740993\n',
  );
  expect(rowFormat("tsv", columns).row(["a\tb", undefined], ["y"], ["x,y"])).toBe('"a\tb"\t\tx,y\n');
});

it("a row of one empty cell is no blank line", () => {
  expect(rowFormat("csv", []).row([], ["label"], [""])).toBe('""\n');
});

it("objects have values of their kinds, whole numbers to the last digit", () => {
  const row = rowFormat("jsonl", columns).row(["NA", "1.10"], ["y", "z"], [9007199254740993n, "NaN"]);
  expect(row).toBe('{"a,b":null,"n":1.10,"y":9007199254740993,"z":"NaN"}\n');
});

it("the format follows from the name, on standard output from the input", () => {
  expect(["o.csv", "o.TSV", "o.ndjson", "o"].map((path) => resultFormat(path, "parquet"))).toEqual([
    ...["csv", "tsv", "jsonl", "csv"],
  ]);
  expect(resultFormat(undefined, "json-lines")).toBe("jsonl");
  expect(() => resultFormat("o.xlsx", "csv")).toThrow(/o\.xlsx/);
});
