import { describe, expect, it } from "vitest";
import { modelArgument, versionArgument, versionNumber } from "./context.ts";

describe("a name that was typed", () => {
  it("without a version says so where one is needed", () => {
    const { version } = versionArgument("fraud");
    expect(() => versionNumber(version)).toThrow("No version was named.");
    expect(() => versionNumber("two")).toThrow('"two" is not a version number.');
  });

  it("is refused as the name of what was meant", () => {
    expect(() => modelArgument("bad name")).toThrow('"bad name" is not a model name.');
    expect(() => modelArgument("bad name", "dataset")).toThrow('"bad name" is not a dataset name.');
    expect(() => versionArgument("bad name:1", "dataset")).toThrow('"bad name" is not a dataset name.');
  });
});
