import type { Sketch } from "./sketch.ts";

/** A graph by what it does; `opset` is 17 unless given. */
export type Case = readonly [name: string, build: (g: Sketch) => string, opset?: number | undefined];

export const axis = (int: number) => ({ axis: { int } });
export const ints = (...values: number[]) => ({ ints: values });

/** [rows] of a value, as exporters read it off. */
export const rowsOf = (g: Sketch, value: string) =>
  g.do("Unsqueeze", [g.do("Gather", [g.do("Shape", [value]), g.int(0)], axis(0)), g.ints(0)]);
