import { describe, expect, it } from "vitest";
import { memoryFile, profileDataset } from "../index.ts";

const warningsOf = async (cells: readonly (number | string)[]) => {
  const csv = `at,y\n${cells.map((cell, row) => `${cell},${row % 7}\n`).join("")}`;
  return (await profileDataset({ format: "csv", file: memoryFile(Buffer.from(csv)) })).warnings;
};
const many = (count: number, cell: (i: number) => number) => Array.from({ length: count }, (_, i) => cell(i));
const milliseconds = (count: number) => many(count, (i) => 1_700_000_000_000 + 86_400_000 * i);

describe("a value that stands for something else among numbers", () => {
  it.each([
    ["0 among moments in milliseconds", [...milliseconds(40), 0, 0], "0 in 2 of 42 values"],
    ["-1 among moments in milliseconds", [...milliseconds(40), -1, -1], "-1 in 2 of 42 values"],
    ["one alone, where it takes the precision of all others", [...milliseconds(40), 0], "0 in 1 of 41 values"],
    ["0 among seconds of ten years", [...many(90, (i) => 1_400_000_000 + 3_000_000 * i), 0], "0 in 1 of 91 values"],
    ["two of them", [...milliseconds(40), 0, 0, -1], "-1 and 0 in 3 of 43 values"],
    ["one at the other end", [...milliseconds(40), 9_999_999_999_999, 9_999_999_999_999], "9999999999999 in 2 of 42"],
    ["-999 among ages", [...many(60, (i) => 20 + i), -999, -999], "-999 in 2 of 62 values"],
  ])("is told: %s", async (_, cells, said) => {
    const [warning, ...others] = await warningsOf(cells);
    expect(others).toEqual([]);
    expect(warning).toContain(`Column "at" has ${said}`);
    expect(warning).toMatch(/If it means "no value", say so: --missing -?\d+/);
  });

  it("is told among more different values than are counted one by one", async () => {
    const [warning] = await warningsOf([...milliseconds(3000), 0, ...milliseconds(3000), 0, 0]);
    expect(warning).toContain('Column "at" has 0 in at least');
    expect(warning).toContain("they compute in FP32. If it");
  });

  it.each([
    ["amounts from 0 up", many(60, (i) => (i % 3) * i * i * 1000)],
    ["moments without one", milliseconds(40)],
    ["codes", [0, 0, 0, 1, 1, 100, 100]],
    ["one that is far out once, among small numbers", [...many(60, (i) => 20 + i), 900]],
    ["two groups", [...many(30, (i) => i), ...many(30, (i) => 1_700_000_000_000 + i)]],
    ["one value", [5, 5, 5]],
    ["a few large ones", [20_240_201, 20_240_213, 20_240_301, 20_240_401, 20_240_502, 20_240_801]],
    ["amounts, of which one is larger", [...many(60, (i) => 100_000 + 300_000 * i), 500_000_000]],
  ])("is not seen in %s", async (_, cells) => {
    expect((await warningsOf(cells)).filter((warning) => warning.includes("far from"))).toEqual([]);
  });
});
