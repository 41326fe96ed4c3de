import { describe, expect, it } from "vitest";
import { type ComparableTensor, compareSignatures } from "./index.ts";

const x = (shape: bigint[], datatype = "FP32"): ComparableTensor => ({ name: "x", datatype, shape });
const compare = (before: ComparableTensor[], after: ComparableTensor[]) =>
  compareSignatures({ inputs: before, outputs: [] }, { inputs: after, outputs: [] });
const compareOutputs = (before: ComparableTensor[], after: ComparableTensor[]) =>
  compareSignatures({ inputs: [], outputs: before }, { inputs: [], outputs: after });

describe("comparing signatures", () => {
  it("finds none between equal ones", () => {
    expect(compare([x([-1n, 4n])], [x([-1n, 4n])])).toEqual({ differences: [], compatible: true });
  });

  it("names a changed axis and that clients break", () => {
    const result = compare([x([-1n, 10n])], [x([-1n, 12n])]);
    expect(result).toEqual({ differences: ["input x: FP32[-1,10] → FP32[-1,12]"], compatible: false });
  });

  it("lets inputs become wider and outputs narrower, not the other way", () => {
    expect(compare([x([4n])], [x([-1n])]).compatible).toBe(true);
    expect(compare([x([-1n])], [x([4n])]).compatible).toBe(false);
    expect(compareOutputs([x([-1n])], [x([4n])]).compatible).toBe(true);
    expect(compareOutputs([x([4n])], [x([-1n])]).compatible).toBe(false);
  });

  it("lets an output or an optional input come, but no required input, and nothing go", () => {
    expect(compareOutputs([], [x([1n])]).compatible).toBe(true);
    expect(compare([], [{ ...x([1n]), optional: true }]).compatible).toBe(true);
    expect(compare([], [x([1n])]).compatible).toBe(false);
    expect(compareOutputs([x([1n])], []).differences).toEqual(["output x: FP32[1] → none"]);
    expect(compare([x([1n])], []).compatible).toBe(false);
  });

  it("takes another type or rank for a break", () => {
    expect(compare([x([1n])], [x([1n], "FP64")]).compatible).toBe(false);
    expect(compare([x([1n])], [x([1n, 1n])]).compatible).toBe(false);
  });
});
