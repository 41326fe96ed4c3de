import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Batch, type Matrix, Random, type SparseMatrix, type Targets } from "@aimass/learn";
import type { CaseData } from "./cases.ts";
import { madeRows } from "./made-rows.ts";
import { madeTexts } from "./made-texts.ts";

/** Parts of a data set as both sides read them. The first four fifths of the rows are learned from, the rest judged by. */
export interface CaseFiles {
  readonly train: CasePart;
  readonly test: CasePart;
}

/** Rows of features, or raw texts in a column "text". */
export interface CasePart {
  readonly x: Matrix | Batch;
  readonly y: Targets;
}

/** Writes x (raw little-endian arrays, dense or CSR with offsets and columns; or texts, one a line) and y into the folder. */
export function writeCase(folder: string, data: CaseData): void {
  const put = (name: string, content: ArrayBufferView | string) =>
    writeFileSync(
      join(folder, name),
      typeof content === "string" ? content : new Uint8Array(content.buffer, content.byteOffset, content.byteLength),
    );
  if (data.kind === "texts") {
    const { texts, indices } = madeTexts(data);
    put("x", texts.join("\n"));
    put("y", Float64Array.from(indices));
  } else if (data.kind === "bags") {
    const { x, indices } = madeBags(data);
    put("x", x.values);
    put("offsets", x.offsets);
    put("columns", x.columns);
    put("y", Float64Array.from(indices));
  } else {
    const made = madeRows({ ...data, classes: Math.max(1, data.classes), seed: 1 });
    put("x", made.x.data);
    put("y", data.classes === 0 ? made.numbers.values : Float64Array.from(made.classes.indices));
  }
  put("data.json", JSON.stringify(data));
}

export function readCase(folder: string): CaseFiles {
  const data = JSON.parse(readFileSync(join(folder, "data.json"), "utf8")) as CaseData;
  const get = (name: string) => Uint8Array.from(readFileSync(join(folder, name))).buffer;
  const y = new Float64Array(get("y"));
  const middle = Math.floor(data.rows * 0.8);
  const x = data.kind === "texts" ? textsOf(folder) : rowsOf(matrixOf(data, get));
  const part = (from: number, to: number) => ({ x: x(from, to), y: targetsOf(y.slice(from, to), data) });
  return { train: part(0, middle), test: part(middle, data.rows) };
}

function textsOf(folder: string): (from: number, to: number) => Batch {
  const texts = readFileSync(join(folder, "x"), "utf8").split("\n");
  return (from, to) => ({
    rows: to - from,
    columns: new Map([["text", { type: "string", values: texts.slice(from, to) }]]),
  });
}

function matrixOf(data: Extract<CaseData, { cols: number }>, get: (name: string) => ArrayBuffer): Matrix {
  const { rows, cols } = data;
  if (data.kind === "table") return { kind: "dense", rows, cols, data: new Float32Array(get("x")) };
  const offsets = new Uint32Array(get("offsets"));
  return {
    kind: "sparse",
    rows,
    cols,
    offsets,
    columns: new Uint32Array(get("columns")),
    values: new Float32Array(get("x")),
  };
}

function targetsOf(values: Float64Array, { classes }: CaseData): Targets {
  if (classes === 0) return { kind: "numbers", values };
  const names = Array.from({ length: classes }, (_, c) => `class ${c}`);
  return { kind: "classes", indices: Int32Array.from(values), labels: { datatype: "BYTES", values: names } };
}

function rowsOf(x: Matrix): (from: number, to: number) => Matrix {
  return (from, to) => someRows(x, from, to);
}

function someRows(x: Matrix, from: number, to: number): Matrix {
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
function madeBags({ rows, cols, classes }: Extract<CaseData, { cols: number }>): {
  x: SparseMatrix;
  indices: Int32Array;
} {
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
