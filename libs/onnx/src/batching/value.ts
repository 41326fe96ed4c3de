import { dependsOnRows, one, type Size, sizeOf, times } from "./size.ts";

export type Shape = readonly Size[];

/** Elements of a small tensor, where they are known; undefined: unknown, but the same for every run. Booleans are 0 and 1. */
export type Elements = readonly (Size | undefined)[];

/** What is known of a value in the graph, whatever rows a run gathers. */
export type Value = Common | Sizes | Rows | Mixed;

/** The same whatever rows are in the run, and however many. */
export interface Common {
  readonly kind: "common";
  /** Undefined: unknown, the number of axes included. */
  readonly shape: Shape | undefined;
  readonly elements?: Elements;
  /** The element of a constant that is a single text. */
  readonly text?: string;
}

/** Numbers that depend on how many rows there are, and on nothing else of them: shapes, mostly. Of rank 0 or 1. */
export interface Sizes {
  readonly kind: "sizes";
  readonly shape: Shape;
  readonly elements: Elements;
}

/**
 * One axis carries the rows: its index is (o · rows + row) · inner + i, and all elements of a row depend on the row's inputs alone. `outer` and `inner` are 1
 * unless another axis was folded into it.
 */
export interface Rows {
  readonly kind: "rows";
  readonly shape: Shape;
  readonly axis: number;
  readonly outer: Size;
  readonly inner: Size;
  /** All along the axis the elements are the same, and no input's: what Expand makes of a constant. */
  readonly uniform: boolean;
  readonly padding?: Padding;
}

/** An axis as long as the longest row in the run needs: what a row has of its own comes first, behind it stands the same element for all. */
export interface Padding {
  readonly axis: number;
  /** The element; undefined where it is not followed. */
  readonly fill: string | number | undefined;
}

/** Rows met, or may have. */
export interface Mixed {
  readonly kind: "mixed";
  /** One sentence. */
  readonly reason: string;
}

export function common(shape?: Shape, elements?: Elements): Common {
  return { kind: "common", shape, ...(elements !== undefined && { elements }) };
}

/** A tensor of rank 0 or 1 by its elements. */
export function fromElements(elements: Elements, rank: 0 | 1): Common | Sizes {
  const shape = rank === 0 ? [] : [sizeOf(elements.length)];
  return { kind: elements.some(dependsOnRows) ? "sizes" : "common", shape, elements };
}

/** Rows on `axis`, with nothing folded in. */
export function rowsOn(shape: Shape, axis: number, uniform = false): Rows {
  return { kind: "rows", shape, axis, outer: one, inner: one, uniform };
}

export function isPlain({ outer, inner }: Rows): boolean {
  return times(outer, inner).factor === 1 && outer.symbols.length + inner.symbols.length === 0;
}

/** `index` of an axis from the front, as ONNX counts negative ones from the end. */
export function axisOf(index: number, rank: number): number {
  return index < 0 ? index + rank : index;
}
