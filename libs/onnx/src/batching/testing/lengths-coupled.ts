import { GraphBuilder } from "../../graph-builder.ts";
import { axis, rowsOf } from "./common.ts";
import type { CoupledCase } from "./rows-coupled.ts";
import type { Sketch } from "./sketch.ts";

const asFloat = (g: Sketch, value: string) => g.do("Cast", [value], { to: { int: 1 } });
const small = (g: Sketch, value: number) => g.do("Cast", [g.ints(value)], { to: { int: 6 } });

/** Graphs that couple rows by lengths: made of how many rows there are, or other ones than they look. */
export const lengthsCoupled: readonly CoupledCase[] = [
  [
    "a Fourier transform as long as there are rows",
    (g) => {
      const x = g.x(["N", 4, 1]);
      const n = g.do("Gather", [g.do("Shape", [x]), g.int(0)], axis(0));
      return g.do("ReduceSum", [g.do("DFT", [x, n], axis(1)), g.ints(1, 2)], { keepdims: { int: 0 } });
    },
    undefined,
    /takes its settings from the rows/,
  ],
  [
    "images as high as there are rows",
    (g) => {
      const x = g.x(["N", 1, 4, 4]);
      const n = rowsOf(g, x);
      const sizes = g.do("Concat", [n, g.ints(1), n, g.ints(4)], axis(0));
      return g.do("ReduceSum", [g.do("Resize", [x, "", "", sizes]), g.ints(1, 2, 3)], { keepdims: { int: 0 } });
    },
    undefined,
    /a second axis as long as the batch/,
  ],
  [
    "images as many times as high as there are rows",
    (g) => {
      const x = g.x(["N", 1, 4, 4]);
      const n = asFloat(g, rowsOf(g, x));
      const one = asFloat(g, g.ints(1));
      const scales = g.do("Concat", [one, one, n, one], axis(0));
      return g.do("ReduceSum", [g.do("Resize", [x, "", scales]), g.ints(1, 2, 3)], { keepdims: { int: 0 } });
    },
    undefined,
    /a second axis as long as the batch/,
  ],
  [
    "images resized with all their axes in proportion",
    (g) => {
      const x = g.x(["N", 1, 4, 4]);
      return g.do("Resize", [x, "", "", g.do("Concat", [rowsOf(g, x), g.ints(1, 2, 2)], axis(0))], {
        keep_aspect_ratio_policy: { string: "not_larger" },
      });
    },
    18,
    /may resize the axis of the rows/,
  ],
  [
    "a fold by a length that FP32 rounds up",
    (g) => {
      const scales = g.builder.constant("scales", "FP32", [3], Float32Array.of(1, 1, 0.7));
      return g.do("Reshape", [g.do("Resize", [g.x(["N", 1, 10]), "", scales]), g.ints(-1, 6)]);
    },
  ],
  [
    "a part of the rows, up to a number that begins anew in a smaller type",
    (g) => {
      const end = g.builder.constant("end", "INT64", [1], BigInt64Array.of(2n ** 63n - 1n));
      return g.do("Slice", [g.x(), small(g, 0), g.do("Cast", [end], { to: { int: 6 } }), small(g, 0)]);
    },
  ],
  [
    "a part of the rows, up to a sum that begins anew",
    (g) => {
      const end = g.do("Add", [small(g, 2 ** 31 - 1), small(g, 2 ** 31 - 1)]);
      return g.do("Slice", [g.x(), small(g, 0), end, small(g, 0)]);
    },
  ],
  [
    "a fold by a difference that may be -1",
    (g) => {
      const x = g.x(["N", "L", 6]);
      const less = g.do("Sub", [g.do("Gather", [g.do("Shape", [x]), g.ints(1)], axis(0)), g.ints(3)]);
      const sums = g.do("ReduceSum", [x, g.ints(1)], { keepdims: { int: 0 } });
      const folded = g.do("Reshape", [sums, g.do("Concat", [rowsOf(g, x), less], axis(0))]);
      const other = g.do("Reshape", [g.weights(6), g.do("Concat", [less, g.ints(2)], axis(0))]);
      const length = g.do("Gather", [g.do("Shape", [other]), g.ints(0)], axis(0));
      return g.do("Reshape", [folded, g.do("Concat", [g.ints(-1), length], axis(0))]);
    },
  ],
  [
    "a fold by a half that may be 0, and so stand for another length",
    (g) => {
      const z = g.x(["N", "L"], "FP32", "z");
      const half = g.do("Div", [g.do("Gather", [g.do("Shape", [z]), g.ints(1)], axis(0)), g.ints(2)]);
      const folded = g.do("Reshape", [g.x(["N", 6, 1]), g.do("Concat", [g.ints(0), half], axis(0))]);
      const other = g.do("Reshape", [g.weights(3, 2), g.do("Concat", [half, g.ints(2)], axis(0))]);
      const length = g.do("Gather", [g.do("Shape", [other]), g.ints(0)], axis(0));
      return g.do("Reshape", [folded, g.do("Concat", [g.ints(-1), length], axis(0))]);
    },
  ],
  [
    "a fold by a quotient with a fraction",
    (g) => {
      const x = g.x(["N", 5, "L"]);
      const whole = (value: string) => g.do("Cast", [value], { to: { int: 7 } });
      const length = asFloat(g, g.do("Gather", [g.do("Shape", [x]), g.ints(2)], axis(0)));
      const half = g.do("Add", [g.do("Div", [length, asFloat(g, g.ints(2))]), asFloat(g, g.ints(1))]);
      const twice = whole(g.do("Mul", [half, asFloat(g, g.ints(2))]));
      const sums = g.do("ReduceSum", [x, g.ints(2)], { keepdims: { int: 0 } });
      const folded = g.do("Reshape", [sums, g.do("Concat", [rowsOf(g, x), twice], axis(0))]);
      const shape = g.do("Concat", [g.ints(-1), g.do("Mul", [whole(half), g.ints(2)])], axis(0));
      return g.do("Reshape", [folded, shape]);
    },
  ],
  [
    "a length that is chosen by a number below 0",
    (g) => {
      const x = g.x(["N", "L"]);
      const below = g.do("Mul", [g.do("Gather", [g.do("Shape", [x]), g.ints(1)], axis(0)), g.ints(-1)]);
      const chosen = g.do("Where", [g.do("Equal", [below, g.ints(-1)]), g.ints(1), rowsOf(g, x)]);
      return g.do("Reshape", [x, g.do("Concat", [chosen, g.ints(-1)], axis(0))]);
    },
  ],
  [
    "a fold that comes out even for one number of rows",
    (g) => {
      const x = g.x(["N", 4]);
      const n = rowsOf(g, x);
      const squared = g.do("Reshape", [x, g.do("Concat", [g.do("Mul", [n, n]), g.ints(-1)], axis(0))]);
      const sums = g.do("ReduceSum", [squared, g.ints(1)], { keepdims: { int: 0 } });
      return g.do("Reshape", [sums, g.do("Concat", [n, g.ints(2)], axis(0))]);
    },
  ],
  [
    "a sum over no axes, which is none",
    (g) => {
      const x = g.x(["N", 2, 6]);
      const shape = g.do("ReduceSum", [g.ints(-6, 18)], { noop_with_empty_axes: { int: 1 }, keepdims: { int: 1 } });
      return g.do("Reshape", [x, g.do("Concat", [rowsOf(g, x), shape], axis(0))]);
    },
  ],
  [
    "a constant whose shape is not read",
    (g) => g.do("Add", [g.x(["N"]), g.do("Constant", [], { sparse_value: { ints: [] } })]),
  ],
  [
    "parts of an axis that is not there",
    (g) => g.many("Split", [g.x()], 2, axis(2))[0] as string,
    undefined,
    /an axis that its input has not/,
  ],
  [
    "pairs of an axis that is not there",
    (g) => g.do("Transpose", [g.x()], { perm: { ints: [0, 2] } }),
    undefined,
    /an axis that its input has not/,
  ],
  [
    "a fold by the length a Loop's state had before its last round",
    (g) => {
      const b = new GraphBuilder("body", { prefix: "b" });
      b.input("i", "INT64", []);
      b.input("c", "BOOL", []);
      b.input("s", "FP32", ["N", "L"]);
      b.output(b.node("Identity", ["c"]), "BOOL", []);
      b.output(b.node("Concat", ["s", "s"], axis(1)), "FP32", ["N", "M"]);
      b.output(b.node("Identity", ["s"]), "FP32", ["N", "L"]);
      const [last, each] = g.many("Loop", [g.int(1), "", g.x()], 2, { body: { graph: b.toGraph() } }) as [
        string,
        string,
      ];
      const before = g.do("Gather", [g.do("Shape", [each]), g.ints(2)], axis(0));
      return g.do("Reshape", [last, g.do("Concat", [g.ints(-1), before], axis(0))]);
    },
  ],
  [
    "padding that becomes 0 by being cut off",
    (g) => {
      const words = g.do("Tokenizer", [g.x(["N"], "BYTES")], {
        mark: { int: 0 },
        mincharnum: { int: 1 },
        pad_value: { string: "#" },
        separators: { strings: [" "] },
      });
      const ids = g.do("LabelEncoder", [words], {
        keys_strings: { strings: ["#"] },
        values_int64s: { ints: [0] },
        default_int64: { int: 3 },
      });
      const halves = g.do("Where", [g.do("Equal", [ids, g.int(0)]), g.scalar(0.5), g.scalar(3)]);
      const none = g.do("Equal", [g.do("Cast", [halves], { to: { int: 7 } }), g.int(0)]);
      return g.do("ReduceSum", [asFloat(g, none), g.ints(1)], { keepdims: { int: 0 } });
    },
  ],
];
