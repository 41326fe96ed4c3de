import { expect, it } from "vitest";
import { PredictionColumns } from "./prediction-columns.ts";

const outputs = (...names: string[]) => ({
  outputs: names.map((name) => ({ name, datatype: "FP32", shape: [-1] })),
});

it("an output of one element is a column of its name, one of more has one for each class or place", () => {
  const entry = { label: "no", probabilities: [0.9, 0.1], box: [[1, 2]] };
  const classes = { probabilities: ["no", "yes"] };
  const columns = PredictionColumns.of(entry, { classes }, outputs("label", "probabilities", "box"), []);
  expect(columns.names).toEqual(["label", "probabilities_no", "probabilities_yes", "box_0", "box_1"]);
  expect(columns.values(entry)).toEqual(["no", 0.9, 0.1, 1, 2]);
  expect(PredictionColumns.of([1.5], {}, outputs("y"), []).names).toEqual(["y"]);
});

it("no two columns have one name", () => {
  const columns = PredictionColumns.of({ y: [1, 2], y_0: 3 }, {}, outputs("y", "y_0"), ["y_1", "predicted_y_1"]);
  expect(columns.names).toEqual(["y_0", "predicted_y_1_2", "predicted_y_0"]);
});

it("an answer of another size than the first is refused by name", () => {
  const columns = PredictionColumns.of([1, 2], {}, outputs("y"), []);
  expect(() => columns.values([1, 2, 3])).toThrow(/output y has 3 values for one row, and 2/);
});
