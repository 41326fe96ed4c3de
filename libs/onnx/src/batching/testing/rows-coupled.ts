import { GraphBuilder } from "../../graph-builder.ts";
import { axis, type Case, ints, rowsOf } from "./common.ts";

/** A graph that couples rows, with what the reason says. */
export type CoupledCase = readonly [...Case, why?: RegExp];

/** Graphs that couple rows. */
export const rowsCoupled: readonly CoupledCase[] = [
  [
    "the mean of a column",
    (g) => g.do("Sub", [g.x(), g.do("ReduceMean", [g.x(["N", 4], "FP32", "z")], { axes: ints(0) })]),
  ],
  ["the mean of everything", (g) => g.do("Div", [g.x(), g.do("ReduceMean", [g.x(["N", 4], "FP32", "z")])])],
  ["the best row", (g) => g.do("ArgMax", [g.x()])],
  ["a softmax over the rows", (g) => g.do("Softmax", [g.x()], axis(0))],
  ["a softmax over everything, before operator set 13", (g) => g.do("Softmax", [g.x()], axis(0)), 11],
  ["sums along the rows", (g) => g.do("CumSum", [g.x(), g.int(0)])],
  ["rows in order", (g) => g.many("TopK", [g.x(), g.ints(2)], 2, axis(0))[0] as string],
  [
    "rows compared with each other",
    (g) => {
      const x = g.x();
      return g.do("MatMul", [x, g.do("Transpose", [x])]);
    },
  ],
  ["rows against a constant of a fixed number of rows", (g) => g.do("Add", [g.x(), g.weights(3, 4)])],
  [
    "rows against columns",
    (g) => {
      const x = g.x(["N"]);
      return g.do("Add", [g.do("Unsqueeze", [x, g.ints(1)]), x]);
    },
  ],
  [
    "the first row for all",
    (g) => {
      const x = g.x();
      return g.do("Add", [x, g.do("Slice", [x, g.ints(0), g.ints(1), g.ints(0)])]);
    },
  ],
  ["rows turned around", (g) => g.do("Slice", [g.x(), g.ints(-1), g.ints(-(2 ** 31)), g.ints(0), g.ints(-1)])],
  ["rows looked up in rows", (g) => g.do("Gather", [g.x(), g.x(["N"], "INT64", "at")])],
  ["a fold that does not come out even", (g) => g.do("Reshape", [g.x(["N", 6]), g.ints(-1, 4)])],
  ["a fold with what varies", (g) => g.do("Reshape", [g.x(["N", "L", 4]), g.ints(-1, 8)])],
  [
    "a fold that is not undone",
    (g) => g.do("Reshape", [g.x(["N", 6]), g.ints(-1, 3)]),
    undefined,
    /not one row for each row/,
  ],
  [
    "rows and time changed places by a reshape",
    (g) => {
      const x = g.x(["N", 6, 4]);
      const n = rowsOf(g, x);
      return g.do("Transpose", [g.do("Reshape", [x, g.do("Concat", [g.ints(6), n, g.ints(4)], axis(0))])], {
        perm: ints(1, 0, 2),
      });
    },
  ],
  [
    "positions along the rows",
    (g) => {
      const x = g.x(["N"]);
      const n = g.do("Gather", [g.do("Shape", [x]), g.int(0)], axis(0));
      return g.do("Add", [x, g.do("Cast", [g.do("Range", [g.int(0), n, g.int(1)])], { to: { int: 1 } })]);
    },
  ],
  [
    "the number of rows as a number",
    (g) => {
      const x = g.x(["N"]);
      return g.do("Add", [x, g.do("Cast", [g.do("Shape", [x])], { to: { int: 1 } })]);
    },
  ],
  [
    "an axis as long as the longest row asks for",
    (g) => {
      const n = g.do("ReduceMax", [g.x(["N"], "INT64")], { axes: ints(0) });
      return g.do("Expand", [
        g.do("Cast", [g.builder.input("z", "FP32", ["N", 1])], { to: { int: 1 } }),
        g.do("Concat", [g.ints(1), n], axis(0)),
      ]);
    },
  ],
  [
    "DynamicQuantizeLinear",
    (g) => {
      const [q, s, z] = g.many("DynamicQuantizeLinear", [g.x()], 3) as [string, string, string];
      return g.do("DequantizeLinear", [q, s, z]);
    },
    undefined,
    /DynamicQuantizeLinear.*scale from all rows/,
  ],
  [
    "DynamicQuantizeMatMul",
    (g) =>
      g.do("DynamicQuantizeMatMul", [
        g.x(),
        g.builder.constant("b", "UINT8", [4, 2], new Uint8Array(8)),
        g.scalar(0.1),
      ]),
  ],
  ["NonZero, Compress, Unique", (g) => g.do("Cast", [g.do("NonZero", [g.x()])], { to: { int: 1 } })],
  ["Compress", (g) => g.do("Compress", [g.x(), g.x(["N"], "BOOL", "keep")], axis(0))],
  ["Unique", (g) => g.many("Unique", [g.x(["N"])], 1)[0] as string],
  ["StringSplit's pieces", (g) => g.many("StringSplit", [g.x(["N"], "BYTES")], 2)[0] as string, 20],
  [
    "words, padded to the longest",
    (g) =>
      g.do("Tokenizer", [g.x(["N"], "BYTES")], {
        mark: { int: 0 },
        mincharnum: { int: 1 },
        pad_value: { string: "#" },
        separators: { strings: [" "] },
      }),
  ],
  [
    "a count of words that the padding is among",
    (g) => {
      const words = g.do("Tokenizer", [g.x(["N"], "BYTES")], {
        mark: { int: 0 },
        mincharnum: { int: 1 },
        pad_value: { string: "a" },
        separators: { strings: [" "] },
      });
      return g.do("TfIdfVectorizer", [words], {
        mode: { string: "TF" },
        min_gram_length: { int: 1 },
        max_gram_length: { int: 1 },
        max_skip_count: { int: 0 },
        ngram_counts: ints(0),
        ngram_indexes: ints(0),
        pool_strings: { strings: ["a"] },
      });
    },
  ],
  ["random numbers", (g) => g.do("Add", [g.x(), g.do("RandomNormal", [], { shape: ints(4) })])],
  ["random numbers like the rows", (g) => g.do("RandomUniformLike", [g.x()])],
  [
    "dropout that trains",
    (g) => g.do("Dropout", [g.x(), g.scalar(0.5), g.builder.constant("t", "BOOL", [], Uint8Array.of(1))]),
  ],
  [
    "batch normalisation that trains",
    (g) =>
      g.many("BatchNormalization", [g.x(), g.weights(4), g.weights(4), g.weights(4), g.weights(4)], 3, {
        training_mode: { int: 1 },
      })[0] as string,
  ],
  [
    "MaxPool's places",
    (g) =>
      g.do("Cast", [g.many("MaxPool", [g.x(["N", 1, 4, 4])], 2, { kernel_shape: ints(2, 2) })[1] as string], {
        to: { int: 1 },
      }),
    undefined,
    /counted through all rows/,
  ],
  [
    "a recurrent layer along the rows",
    (g) =>
      g.many("LSTM", [g.x(["N", 2, 4]), g.weights(1, 12, 4), g.weights(1, 12, 3)], 1, {
        hidden_size: { int: 3 },
      })[0] as string,
  ],
  [
    "StringNormalizer that takes words out",
    (g) => g.do("StringNormalizer", [g.x(["N"], "BYTES")], { stopwords: { strings: [""] } }),
  ],
  ["Squeeze of whatever is 1", (g) => g.do("Squeeze", [g.x(["N", 1, 4])])],
  ["a list that is one row to ai.onnx.ml", (g) => g.do("Normalizer", [g.x(["N"])], { norm: { string: "MAX" } })],
  [
    "a mean over the batch inside a Loop",
    (g) => {
      const b = new GraphBuilder("body", { prefix: "b" });
      b.input("i", "INT64", []);
      b.input("c", "BOOL", []);
      b.input("s", "FP32", ["N", 4]);
      b.output(b.node("Identity", ["c"]), "BOOL", []);
      b.output(b.node("Sub", ["s", b.node("ReduceMean", ["s"], { axes: ints(0) })]), "FP32", ["N", 4]);
      return g.do("Loop", [g.int(3), "", g.x()], { body: { graph: b.toGraph() } });
    },
  ],
  [
    "a Loop as long as the rows say",
    (g) => {
      const b = new GraphBuilder("body", { prefix: "b" });
      b.input("i", "INT64", []);
      b.input("c", "BOOL", []);
      b.input("s", "FP32", ["N"]);
      b.output(b.node("Identity", ["c"]), "BOOL", []);
      b.output(b.node("Tanh", ["s"]), "FP32", ["N"]);
      const count = g.do("ReduceMax", [g.x(["N"], "INT64")], { keepdims: { int: 0 } });
      return g.do("Loop", [count, "", g.x(["N"], "FP32", "z")], { body: { graph: b.toGraph() } });
    },
  ],
  [
    "Scan along the rows",
    (g) => {
      const b = new GraphBuilder("body", { prefix: "b" });
      b.input("s", "FP32", [4]);
      b.input("e", "FP32", [4]);
      const next = b.node("Add", ["s", "e"]);
      b.output(next, "FP32", [4]);
      b.output(b.node("Identity", [next]), "FP32", [4]);
      return g.many("Scan", [g.weights(4), g.x()], 2, {
        body: { graph: b.toGraph() },
        num_scan_inputs: { int: 1 },
      })[1] as string;
    },
  ],
  [
    "an operator nobody knows",
    (g) => g.do("FutureNorm", [g.x()]),
    undefined,
    /\(FutureNorm\) is not known to keep rows apart/,
  ],
];
