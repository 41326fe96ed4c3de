import { GraphBuilder } from "../../graph-builder.ts";
import { axis, type Case, ints, rowsOf } from "./common.ts";

/** Graphs that keep rows apart. */
export const rowsApart: readonly Case[] = [
  ["adding a constant for each column", (g) => g.do("Add", [g.x(), g.weights(4)])],
  ["adding a constant that stands for every row", (g) => g.do("Add", [g.x(), g.weights(1, 4)])],
  ["adding two inputs of the same rows", (g) => g.do("Add", [g.x(), g.x(["M", 4], "FP32", "z")])],
  ["a product with constant weights", (g) => g.do("MatMul", [g.x(), g.weights(4, 3)])],
  [
    "a product with the rows as columns",
    (g) => g.do("Transpose", [g.do("MatMul", [g.weights(3, 4), g.do("Transpose", [g.x()])])]),
  ],
  [
    "Gemm with the rows transposed twice",
    (g) =>
      g.do("Gemm", [g.do("Transpose", [g.x()]), g.weights(3, 4), g.weights(3)], {
        transA: { int: 1 },
        transB: { int: 1 },
      }),
  ],
  [
    "attention within a row",
    (g) => {
      const x = g.x(["N", "L", 4]);
      return g.do("MatMul", [
        g.do("Softmax", [g.do("MatMul", [x, g.do("Transpose", [x], { perm: ints(0, 2, 1) })])]),
        x,
      ]);
    },
  ],
  [
    "heads folded into the batch and out again",
    (g) => {
      const x = g.x(["N", 6, 4]);
      return g.do("Reshape", [g.do("Relu", [g.do("Reshape", [x, g.ints(-1, 4)])]), g.ints(-1, 6, 4)]);
    },
  ],
  [
    "rows behind the time axis, folded with heads and out again",
    (g) => {
      const x = g.do("Transpose", [g.x(["N", 6, 4])], { perm: ints(1, 0, 2) });
      const n = g.do("Mul", [rowsOf(g, g.builder.input("z", "FP32", ["N"])), g.ints(2)]);
      const heads = g.do("Reshape", [x, g.do("Concat", [g.ints(6), n, g.ints(2)], axis(0))]);
      return g.do("Transpose", [g.do("Reshape", [heads, g.ints(6, -1, 4)])], { perm: ints(1, 0, 2) });
    },
  ],
  [
    "a shape computed from the batch",
    (g) => {
      const x = g.x(["N", 2, 3, 4]);
      return g.do("Reshape", [x, g.do("Concat", [rowsOf(g, x), g.ints(-1)], axis(0))]);
    },
  ],
  [
    "a shape computed by division",
    (g) => {
      const x = g.x(["N", 4, "L"]);
      const s = g.do("Shape", [x]);
      const d = (i: number) => g.do("Gather", [s, g.ints(i)], axis(0));
      return g.do("Reshape", [x, g.do("Concat", [d(0), g.do("Div", [d(1), g.ints(2)]), g.ints(2), d(2)], axis(0))]);
    },
  ],
  ["flattening images", (g) => g.do("Flatten", [g.x(["N", 3, "H", "W"])])],
  ["the mean of each row", (g) => g.do("ReduceMean", [g.x()], { axes: ints(-1) })],
  ["the sum of each row by an input", (g) => g.do("ReduceSum", [g.x(), g.ints(1)])],
  ["a softmax before operator set 13 behind the rows", (g) => g.do("Softmax", [g.x(["N", 3, 4])]), 11],
  ["the best of each row", (g) => g.do("ArgMax", [g.x()], axis(1))],
  ["the largest of each row", (g) => g.many("TopK", [g.x(), g.ints(2)], 2)[0] as string],
  ["sums along a row", (g) => g.do("CumSum", [g.x(), g.int(1)])],
  [
    "a convolution, a pool, a norm",
    (g) =>
      g.do("InstanceNormalization", [
        g.do("MaxPool", [g.do("Conv", [g.x(["N", 3, 8, 8]), g.weights(2, 3, 3, 3)])], { kernel_shape: ints(2, 2) }),
        g.weights(2),
        g.weights(2),
      ]),
  ],
  [
    "batch normalisation with constants",
    (g) => g.do("BatchNormalization", [g.x(), g.weights(4), g.weights(4), g.weights(4), g.weights(4)]),
  ],
  ["layer normalisation", (g) => g.do("LayerNormalization", [g.x(), g.weights(4), g.weights(4)])],
  ["embedding of ids", (g) => g.do("Gather", [g.weights(9, 4), g.x(["N", "L"], "INT64")])],
  [
    "a class token for every row",
    (g) => {
      const x = g.x(["N", 5, 4]);
      const token = g.do("Expand", [g.weights(1, 1, 4), g.do("Concat", [rowsOf(g, x), g.ints(1, 1)], axis(0))]);
      return g.do("Concat", [token, x], axis(1));
    },
  ],
  [
    "positions along a row",
    (g) => {
      const x = g.x(["N", "L"]);
      const length = g.do("Gather", [g.do("Shape", [x]), g.int(1)], axis(0));
      return g.do("Add", [x, g.do("Cast", [g.do("Range", [g.int(0), length, g.int(1)])], { to: { int: 1 } })]);
    },
  ],
  [
    "zeros as many as rows",
    (g) => {
      const x = g.x();
      return g.do("Add", [x, g.do("ConstantOfShape", [g.do("Shape", [x])])]);
    },
  ],
  [
    "a state of zeros for a recurrent layer",
    (g) => {
      const x = g.do("Transpose", [g.x(["N", "T", 4])], { perm: ints(1, 0, 2) });
      const n = g.do("Gather", [g.do("Shape", [x]), g.ints(1)], axis(0));
      const zeros = g.do("Expand", [g.scalar(0), g.do("Concat", [g.ints(1), n, g.ints(3)], axis(0))]);
      const h = g.many("GRU", [x, g.weights(1, 9, 4), g.weights(1, 9, 3), "", "", zeros], 2, {
        hidden_size: { int: 3 },
      })[1] as string;
      return g.do("Squeeze", [h, g.ints(0)]);
    },
  ],
  [
    "quantised with constant scales",
    (g) => {
      const zero = g.builder.constant("zp", "UINT8", [], Uint8Array.of(128));
      const q = g.do("QuantizeLinear", [g.x(), g.scalar(0.1), zero]);
      return g.do("DequantizeLinear", [q, g.scalar(0.1), zero]);
    },
  ],
  [
    "Einsum over what is no row",
    (g) => g.do("Einsum", [g.x(["N", 3, 4]), g.weights(4, 2)], { equation: { string: "...ij,jk->...ik" } }),
  ],
  ["a slice behind the rows", (g) => g.do("Slice", [g.x(), g.ints(0, 1), g.ints(2 ** 31, 3), g.ints(0, 1)])],
  [
    "padding and resizing in space",
    (g) => {
      const scales = g.builder.constant("s", "FP32", [4], Float32Array.of(1, 1, 2, 2));
      return g.do("Resize", [g.do("Pad", [g.x(["N", 3, 4, 4]), g.ints(0, 0, 1, 1, 0, 0, 1, 1)]), "", scales]);
    },
  ],
  [
    "a table of classes by the best score",
    (g) =>
      g.do("Reshape", [
        g.do("ArrayFeatureExtractor", [
          g.weights(3),
          g.do("ArgMax", [g.do("MatMul", [g.x(), g.weights(4, 3)])], axis(1)),
        ]),
        g.ints(-1),
      ]),
  ],
  [
    "words counted, however long the neighbours are",
    (g) => {
      const words = g.do("Tokenizer", [g.x(["N"], "BYTES")], {
        mark: { int: 0 },
        mincharnum: { int: 1 },
        pad_value: { string: "#" },
        separators: { strings: [" "] },
      });
      return g.do("TfIdfVectorizer", [words], {
        mode: { string: "TF" },
        min_gram_length: { int: 1 },
        max_gram_length: { int: 1 },
        max_skip_count: { int: 0 },
        ngram_counts: ints(0),
        ngram_indexes: ints(0, 1),
        pool_strings: { strings: ["a", "b"] },
      });
    },
  ],
  [
    "If on a length that is the same for all",
    (g) => {
      const x = g.x(["N", "L"]);
      const body = (operator: string) => {
        const b = new GraphBuilder(operator, { prefix: operator });
        b.output(b.node(operator, [x]), "FP32", ["N", "L"]);
        return b.toGraph();
      };
      const isOne = g.do("Equal", [g.do("Gather", [g.do("Shape", [x]), g.int(1)], axis(0)), g.int(1)]);
      return g.do("If", [isOne], { then_branch: { graph: body("Relu") }, else_branch: { graph: body("Neg") } });
    },
  ],
  [
    "Loop over a constant count",
    (g) => {
      const b = new GraphBuilder("body", { prefix: "b" });
      b.input("i", "INT64", []);
      b.input("c", "BOOL", []);
      b.input("s", "FP32", ["N", 4]);
      b.output(b.node("Identity", ["c"]), "BOOL", []);
      b.output(b.node("Tanh", ["s"]), "FP32", ["N", 4]);
      return g.do("Loop", [g.int(3), "", g.x()], { body: { graph: b.toGraph() } });
    },
  ],
];
