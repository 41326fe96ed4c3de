import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Matrix, Random, type SparseMatrix, type Targets } from "@aimass/learn";
import type { CaseData } from "./cases.ts";
import { madeRows } from "./made-rows.ts";

/** Parts of a data set as both sides read them: raw little-endian arrays. The first four fifths of the rows are learned from, the rest judged by. */
export interface CaseFiles {
  readonly train: { readonly x: Matrix; readonly y: Targets };
  readonly test: { readonly x: Matrix; readonly y: Targets };
}

/** Writes x (dense, or CSR with offsets and columns) and y into the folder. */
export function writeCase(folder: string, data: CaseData): void {
  const put = (name: string, array: ArrayBufferView) => writeFileSync(join(folder, name), new Uint8Array(array.buffer));
  if (data.kind === "text") {
    const { x, indices } = madeTexts(data);
    put("x", x.values);
    put("offsets", x.offsets);
    put("columns", x.columns);
    put("y", Float64Array.from(indices));
  } else {
    const made = madeRows({ ...data, classes: Math.max(1, data.classes), seed: 1 });
    put("x", made.x.data);
    put("y", data.classes === 0 ? made.numbers.values : Float64Array.from(made.classes.indices));
  }
  writeFileSync(join(folder, "data.json"), JSON.stringify(data));
}

export function readCase(folder: string): CaseFiles {
  const data = JSON.parse(readFileSync(join(folder, "data.json"), "utf8")) as CaseData;
  const get = (name: string) => Uint8Array.from(readFileSync(join(folder, name))).buffer;
  const values = new Float32Array(get("x"));
  const whole: Matrix =
    data.kind === "text"
      ? {
          ...data,
          kind: "sparse",
          values,
          offsets: new Uint32Array(get("offsets")),
          columns: new Uint32Array(get("columns")),
        }
      : { ...data, kind: "dense", data: values };
  const y = new Float64Array(get("y"));
  const middle = Math.floor(data.rows * 0.8);
  const part = (from: number, to: number) => ({ x: rowsOf(whole, from, to), y: targetsOf(y.slice(from, to), data) });
  return { train: part(0, middle), test: part(middle, data.rows) };
}

function targetsOf(values: Float64Array, { classes }: CaseData): Targets {
  if (classes === 0) return { kind: "numbers", values };
  const names = Array.from({ length: classes }, (_, c) => `class ${c}`);
  return { kind: "classes", indices: Int32Array.from(values), labels: { datatype: "BYTES", values: names } };
}

function rowsOf(x: Matrix, from: number, to: number): Matrix {
  if (x.kind === "dense") {
    return { kind: "dense", rows: to - from, cols: x.cols, data: x.data.slice(from * x.cols, to * x.cols) };
  }
  const [start, end] = [x.offsets[from] ?? 0, x.offsets[to] ?? 0];
  return {
    kind: "sparse",
    rows: to - from,
    cols: x.cols,
    offsets: x.offsets.slice(from, to + 1).map((offset) => offset - start),
    columns: x.columns.slice(start, end),
    values: x.values.slice(start, end),
  };
}

/** Bags of 8 to 24 words whose frequencies fall as in texts (Zipf); each class prefers every so-manieth word. Rows have length 1, as TF-IDF leaves them. */
function madeTexts({ rows, cols, classes }: CaseData): { x: SparseMatrix; indices: Int32Array } {
  const random = new Random(2);
  const indices = Int32Array.from({ length: rows }, () => random.below(classes));
  const offsets = new Uint32Array(rows + 1);
  const columns: number[] = [];
  const values: number[] = [];
  for (let r = 0; r < rows; r++) {
    const bag = new Set<number>();
    for (let left = 8 + random.below(17); left > 0; left--) {
      const word = Math.min(cols - 1, Math.floor(cols ** random.next()) - 1);
      bag.add(random.next() < 0.1 ? Math.min(cols - 1, word - (word % classes) + (indices[r] ?? 0)) : word);
    }
    const sorted = [...bag].sort((a, b) => a - b);
    for (const word of sorted) {
      columns.push(word);
      values.push(1 / Math.sqrt(sorted.length));
    }
    offsets[r + 1] = columns.length;
  }
  const x = {
    kind: "sparse" as const,
    rows,
    cols,
    offsets,
    columns: Uint32Array.from(columns),
    values: Float32Array.from(values),
  };
  return { x, indices };
}
