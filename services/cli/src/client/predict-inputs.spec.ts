import { describe, expect, it } from "vitest";
import { textInputs } from "./predict-inputs.ts";

const metadata = (...inputs: readonly (readonly [name: string, datatype: string])[]) => ({
  ...{ name: "m", versions: ["1"], outputs: [] },
  inputs: inputs.map(([name, datatype]) => ({ name, datatype, shape: [-1, 1] })),
});

describe("a text to predict from", () => {
  it("is the input of a model that takes one string", () => {
    expect(textInputs(metadata(["text", "BYTES"]), "hello")).toEqual([
      { name: "text", datatype: "BYTES", shape: [1, 1], data: ["hello"] },
    ]);
  });

  it.each([
    [metadata(["x", "FP32"]), "x FP32[-1,1]"],
    [metadata(["city", "BYTES"], ["size", "FP32"]), "city BYTES[-1,1], size FP32[-1,1]"],
  ])("is refused where it would be in no input, or made-up numbers beside it", (of, takes) => {
    expect(() => textInputs(of, "hello")).toThrow(`--text is for a model of one string; this one takes ${takes}.`);
  });
});
