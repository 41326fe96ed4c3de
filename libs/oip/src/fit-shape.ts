/**
 * The shape of a tensor for data whose axes of length 1 may have been left out: all at the end, where the model declares 1 (n values for [-1,1] are n
 * rows), and axis 0, for one sample. Undefined when the data have too few or too many axes. Lengths that differ are left to whoever checks them.
 */
export function fitShape(given: readonly number[], declared: readonly number[]): number[] | undefined {
  const lacking = declared.length - given.length;
  if (lacking === 0) return [...given];
  if (lacking < 0) return undefined;
  const hasFreeAxis = (declared[0] ?? 0) < 0 || declared[0] === 1;
  for (const leading of hasFreeAxis ? [0, 1] : [0]) {
    if (leading > lacking) break;
    const shape = [...ones(leading), ...given, ...ones(lacking - leading)];
    const end = leading + given.length;
    const isFit = declared.every((size, axis) => (axis < end ? size < 0 || size === shape[axis] : size === 1));
    if (isFit) return shape;
  }
  return hasFreeAxis && lacking === 1 ? [1, ...given] : undefined;
}

function ones(count: number): number[] {
  return new Array<number>(count).fill(1);
}
