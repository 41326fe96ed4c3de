import { ColumnType, DatasetVersionSchema } from "@aimass/api/registry";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { describeDataset } from "./dataset-description.ts";

describe("a description of a dataset", () => {
  it("has the smallest and the largest number to their last digit", () => {
    const column = {
      name: "n",
      type: ColumnType.NUMBER,
      minimum: 99999.5,
      maximum: 9007199254740991,
      mean: 123456.789,
    };
    const lines = describeDataset(create(DatasetVersionSchema, { dataset: "d", columns: [column] }));
    expect(lines.join("\n")).toMatch(/n {2,}number .* 99999\.5 +123457 +9007199254740991/);
  });
});
