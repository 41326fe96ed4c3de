import { ColumnType, DatasetVersionSchema, type ReadOptionsSchema } from "@aimass/api/registry";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { diffDatasets } from "./dataset-diff.ts";

const version = (read: Exclude<MessageInitShape<typeof ReadOptionsSchema>, { $typeName: string }>) =>
  create(DatasetVersionSchema, { read: { onlyMissing: true, ...read } });
const { STRING, NUMBER } = ColumnType;

describe("two versions of a dataset", () => {
  it("are read alike whatever order their options were given in", () => {
    const one = version({
      missing: ["?", "NA"],
      without: ["id", "name"],
      types: { a: STRING, b: NUMBER },
      dates: { c: "DMY", d: "MDY" },
      rename: { e: "f", g: "h" },
    });
    const other = version({
      missing: ["NA", "?", "NA"],
      without: ["name", "id"],
      types: { b: NUMBER, a: STRING },
      dates: { d: "MDY", c: "DMY" },
      rename: { g: "h", e: "f" },
    });
    expect(diffDatasets(one, other).differences).toEqual([]);
  });

  it("differ in what an option says", () => {
    const one = version({ missing: ["?"], rename: { e: "f" } });
    const other = version({ missing: ["?", "NA"], rename: { e: "h" } });
    expect(diffDatasets(one, other).differences).toEqual([
      'read missing: ["?"] → ["?","NA"]',
      'read rename: {"e":"f"} → {"e":"h"}',
    ]);
  });
});
