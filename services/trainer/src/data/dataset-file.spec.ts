import { ColumnType, DatasetFormat, DatasetVersionSchema } from "@aimass/api/registry";
import { formerMissing } from "@aimass/datasets";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { readAs } from "./dataset-file.ts";

const version = (read?: { missing: string[]; delimiter: string }) =>
  create(DatasetVersionSchema, {
    format: DatasetFormat.JSON_LINES,
    columns: [{ name: "kind", type: ColumnType.STRING }],
    ...(read && { read }),
  });

describe("a dataset version is read", () => {
  it("as the registry read it, also when no word means that there is no value", () => {
    expect(readAs(version({ missing: [], delimiter: "" }))).toEqual({
      format: "json-lines",
      schema: { columns: [{ name: "kind", type: "string" }], missing: [], partial: true },
    });
    expect(readAs(version({ missing: ["-"], delimiter: ";" })).schema).toMatchObject({
      missing: ["-"],
      delimiter: ";",
    });
  });

  it("by what was usual then when nothing was kept", () => {
    expect(readAs(version()).schema.missing).toEqual(formerMissing);
    const csv = (read: { missing: string[]; onlyMissing: boolean }) =>
      readAs(create(DatasetVersionSchema, { format: DatasetFormat.CSV, read })).schema.missing;
    expect(csv({ missing: [], onlyMissing: false })).toEqual(formerMissing);
    expect(csv({ missing: [], onlyMissing: true })).toEqual([]);
  });

  it("with the words of single columns that mean no value", () => {
    const { schema } = readAs(
      create(DatasetVersionSchema, {
        format: DatasetFormat.CSV,
        columns: [{ name: "hp", type: ColumnType.NUMBER, missingWords: ["?"] }],
      }),
    );
    expect(schema.columns).toEqual([{ name: "hp", type: "number", missing: ["?"] }]);
  });
});
