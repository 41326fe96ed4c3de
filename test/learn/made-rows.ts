import { type ClassTargets, type DenseMatrix, type NumericTargets, Random } from "@aimass/learn";

/** Normal features, a third of which say something about the target, partly in pairs and beyond thresholds. */
export function madeRows(o: { rows: number; cols: number; classes: number; seed: number }): {
  x: DenseMatrix;
  numbers: NumericTargets;
  classes: ClassTargets;
} {
  const random = new Random(o.seed);
  const data = new Float32Array(o.rows * o.cols);
  const values = new Float64Array(o.rows);
  const telling = Math.max(2, Math.floor(o.cols / 3));
  const slopes = Float64Array.from({ length: telling }, () => random.normal());
  for (let r = 0; r < o.rows; r++) {
    const base = r * o.cols;
    for (let j = 0; j < o.cols; j++) data[base + j] = random.normal();
    let value = 0.5 * random.normal();
    for (let j = 0; j < telling; j++) value += (slopes[j] ?? 0) * (data[base + j] ?? 0);
    value += (data[base] ?? 0) * (data[base + 1] ?? 0) + ((data[base + 1] ?? 0) > 0.5 ? 2 : 0);
    values[r] = value;
  }
  const sorted = values.slice().sort();
  const cuts = Array.from({ length: o.classes - 1 }, (_, c) => sorted[Math.floor(((c + 1) * o.rows) / o.classes)] ?? 0);
  const indices = Int32Array.from(values, (value) => cuts.filter((cut) => value > cut).length);
  const names = Array.from({ length: o.classes }, (_, c) => `class ${c}`);
  return {
    x: { kind: "dense", rows: o.rows, cols: o.cols, data },
    numbers: { kind: "numbers", values },
    classes: { kind: "classes", indices, labels: { datatype: "BYTES", values: names } },
  };
}
