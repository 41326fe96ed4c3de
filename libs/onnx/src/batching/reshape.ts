import type { NodeView } from "./node-view.ts";
import { dependsOnRows, isNatural, isOne, mayBeZero, numberOf, one, over, rowCount, type Size, times } from "./size.ts";
import { common, isPlain, type Rows, type Shape, type Value } from "./value.ts";

/**
 * The value laid out anew in row-major order, as Reshape does. The rows may be folded with other axes into one, and unfolded again: with `before` elements before
 * the rows' axis and `after` behind, the new axis is outer · rows · inner long, where the new axes before it hold before ÷ outer elements and those after it
 * after ÷ inner. Anything else would cut through rows.
 *
 * @param shape the new lengths; undefined for the one that takes what is left
 */
export function reshape(node: NodeView, value: Value, shape: readonly (Size | undefined)[]): Value {
  if (value.kind === "mixed") return value;
  if (value.kind === "sizes") return node.mixed("computes with the number of rows");
  const full = value.shape === undefined ? undefined : completed(node, value.shape, shape);
  if (value.kind === "common")
    return full?.some(dependsOnRows) ? node.mixed("lays a constant out over the rows") : common(full);
  if (full === undefined) return node.mixed("takes a shape that cannot be followed");
  const targets = full.flatMap((size, axis) => (dependsOnRows(size) ? [axis] : []));
  const axis = targets[0];
  if (axis === undefined || targets.length > 1) return node.mixed("cuts the rows into a fixed shape");
  const folded = refolded(value, full, axis);
  if (folded === undefined || dependsOnRows(folded.outer) || dependsOnRows(folded.inner))
    return node.mixed("may cut through rows when it takes another shape");
  const stays = isPlain(value) && isOne(folded.outer) && isOne(folded.inner);
  return { kind: "rows", shape: full, axis, ...folded, uniform: value.uniform && stays };
}

/**
 * How the rows are folded into the new axis. A run that succeeds has as many elements before as after, so that before · after = outer · inner · what is around
 * the new axis: it is enough that one side of it comes out even.
 */
function refolded(value: Rows, full: Shape, axis: number): Pick<Rows, "outer" | "inner"> | undefined {
  const folded = over(full[axis] as Size, rowCount);
  if (folded === undefined) return undefined;
  const before = over(times(...value.shape.slice(0, value.axis), value.outer), times(...full.slice(0, axis)));
  const rest = before && over(folded, before);
  if (before !== undefined && rest !== undefined) return { outer: before, inner: rest };
  const after = over(times(value.inner, ...value.shape.slice(value.axis + 1)), times(...full.slice(axis + 1)));
  const outer = after && over(folded, after);
  return after === undefined || outer === undefined ? undefined : { outer, inner: after };
}

/** The new shape with the open length filled in; undefined where that cannot be said. */
function completed(node: NodeView, from: Shape, shape: readonly (Size | undefined)[]): Shape | undefined {
  const open = shape.indexOf(undefined);
  if (open < 0) return shape as Shape;
  if (shape.indexOf(undefined, open + 1) >= 0) return undefined;
  const others = times(...shape.map((size) => size ?? one));
  // With the rows on another axis, what is left does not depend on how many there are.
  const rest = over(times(...from), others) ?? (dependsOnRows(others) ? node.fresh("rest") : undefined);
  return rest === undefined ? undefined : shape.map((size) => size ?? rest);
}

/**
 * The shape Reshape's second input asks for: 0 keeps a length, -1 takes what is left. A number that may turn out to be 0 or -1 asks for a length of its own. Undefined
 * where it is not known.
 */
export function requestedShape(
  node: NodeView,
  from: Shape | undefined,
  wanted: readonly (Size | undefined)[],
  allowZero: boolean,
): readonly (Size | undefined)[] | undefined {
  const shape: (Size | undefined)[] = [];
  for (const [axis, size] of wanted.entries()) {
    if (size === undefined) return undefined;
    const number = numberOf(size);
    if (number === 0 && !allowZero) {
      const kept = from?.[axis];
      if (kept === undefined) return undefined;
      shape.push(kept);
    } else if (number !== undefined && number < 0) shape.push(undefined);
    else if (isNatural(size) && (allowZero || number !== undefined || dependsOnRows(size) || !mayBeZero(size)))
      shape.push(size);
    else if (dependsOnRows(size)) return undefined;
    else shape.push(node.fresh(`asked${axis}`));
  }
  return shape;
}
