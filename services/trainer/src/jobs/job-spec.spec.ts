import { ColumnType, DatasetVersionSchema } from "@aimass/api/registry";
import { JobSpecSchema } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { checkSpec, fitSpec } from "./job-spec.ts";

const dataset = create(DatasetVersionSchema, {
  project: "default",
  dataset: "d",
  version: 3n,
  rows: 100n,
  columns: [
    { name: "a", type: ColumnType.NUMBER },
    { name: "b", type: ColumnType.NUMBER },
    { name: "city", type: ColumnType.STRING },
    { name: "holes", type: ColumnType.NUMBER, missing: 4n },
    { name: "y", type: ColumnType.NUMBER },
  ],
});

type Init = Exclude<MessageInitShape<typeof JobSpecSchema>, { $typeName: string }>;
const good: Init = { recipe: "linear", dataset: "d", target: "y", model: "m", features: ["a", "b"] };
const resolve = (change: Init) => fitSpec(checkSpec(create(JobSpecSchema, { ...good, ...change })), dataset);

describe("a job's spec", () => {
  it("gets its defaults, its version and every parameter", () => {
    expect(resolve({})).toMatchObject({
      project: "default",
      datasetVersion: 3n,
      testShare: 0.2,
      parameters: { l2: 1 },
    });
  });

  it.each<[string, Init, string, string]>([
    ["an unknown recipe", { recipe: "magic" }, "NOT_FOUND", "spec.recipe"],
    ["an unknown parameter", { parameters: { l3: 1 } }, "INVALID_ARGUMENT", 'spec.parameters["l3"]'],
    ["a parameter out of bounds", { parameters: { l2: -1 } }, "INVALID_ARGUMENT", 'spec.parameters["l2"]'],
    ["a parameter that is no number", { parameters: { l2: Number.NaN } }, "INVALID_ARGUMENT", 'spec.parameters["l2"]'],
    ["a share out of bounds", { testShare: 0.9 }, "INVALID_ARGUMENT", "spec.test_share"],
    ["a gate on something else", { gate: { metric: "luck", bound: 1 } }, "INVALID_ARGUMENT", "spec.gate.metric"],
    ["a model's name with a slash", { model: "a/b" }, "INVALID_ARGUMENT", "spec.model"],
    ["no target", { target: "" }, "INVALID_ARGUMENT", "spec.target"],
    ["a target that is not there", { target: "z" }, "FAILED_PRECONDITION", "spec.target"],
    ["a target of text", { target: "city" }, "FAILED_PRECONDITION", "spec.target"],
    ["a feature with empty cells", { features: ["a", "holes"] }, "FAILED_PRECONDITION", "spec.features[1]"],
    ["all columns, one of them with empty cells", { features: [] }, "FAILED_PRECONDITION", "spec.features[2]"],
    ["the target as feature", { features: ["a", "y"] }, "INVALID_ARGUMENT", "spec.features"],
    ["a feature twice", { features: ["a", "a"] }, "INVALID_ARGUMENT", "spec.features"],
  ])("with %s is refused", (_, change, code, field) => {
    try {
      resolve(change);
      expect.fail("it was taken");
    } catch (error) {
      expect(error).toBeInstanceOf(AimassError);
      expect(error).toMatchObject({ code, field });
    }
  });
});
