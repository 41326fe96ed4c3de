import { DatasetFormat, ReadOptionsSchema } from "@aimass/api/registry";
import { formerMissing } from "@aimass/datasets";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { keptMissing, readAlike } from "./read-options.ts";

const read = (missing: string[], onlyMissing: boolean) => create(ReadOptionsSchema, { missing, onlyMissing });

describe("the words that mean no value in a version", () => {
  it.each([
    ["are those it keeps", read(["?"], true), DatasetFormat.CSV, ["?"]],
    ["are those it keeps, without a word of them being all", read(["?"], false), DatasetFormat.CSV, ["?"]],
    ["are none where none are kept and they are all", read([], true), DatasetFormat.TSV, []],
    ["are the former ones where none are kept", read([], false), DatasetFormat.CSV, formerMissing],
    ["are the former ones where no options are kept", undefined, DatasetFormat.TSV, formerMissing],
    ["are none in JSON Lines where none are kept", read([], false), DatasetFormat.JSON_LINES, []],
  ])("%s", (_, options, format, words) => {
    expect(keptMissing(options, format)).toEqual(words);
  });

  it("are alike in versions from before and since they are all", () => {
    expect(readAlike(read(["a", "b"], false), read(["b", "a"], true))).toBe(true);
    expect(readAlike(read(["a"], true), read(["a", "b"], true))).toBe(false);
  });
});
