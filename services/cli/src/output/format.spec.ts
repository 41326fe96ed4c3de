import { ColumnKind, SignatureSchema } from "@aimass/api/registry";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { classes, columns } from "./format.ts";

describe("what a version says of its columns", () => {
  it("is a line for each input that stands for one, and one for the classes of an output", () => {
    const signature = create(SignatureSchema, {
      inputs: [
        {
          name: "smokes",
          column: { kind: ColumnKind.BOOLEAN, missing: ["NA", "?"], trueWords: ["J"], falseWords: ["N"] },
        },
        { name: "bill", column: { kind: ColumnKind.NUMBER, unit: "mm" } },
        {
          name: "species",
          column: { kind: ColumnKind.CATEGORY, categories: Array.from({ length: 14 }, (_, i) => `c${i}`) },
        },
        { name: "pixels" },
      ],
      outputs: [{ name: "label" }, { name: "probabilities", labels: ["no", "yes"] }],
    });
    expect(columns(signature)).toEqual([
      "smokes: boolean; missing: NA, ?; true: J; false: N",
      "bill: number (mm)",
      "species: category; categories: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, … 14 in all",
    ]);
    expect(classes(signature)).toEqual(["probabilities: no, yes"]);
  });
});
