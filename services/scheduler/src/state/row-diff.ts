/** What turns one set of rows into another. */
export interface RowChange<Row> {
  readonly removed: readonly Row[];
  /** New or different. */
  readonly written: readonly Row[];
}

/** Compares rows by their content. */
export function diffRows<Row>(before: ReadonlyMap<string, Row>, after: ReadonlyMap<string, Row>): RowChange<Row> {
  const removed = [...before].filter(([key]) => !after.has(key)).map(([, row]) => row);
  const written = [...after].filter(([key, row]) => !isSame(before.get(key), row)).map(([, row]) => row);
  return { removed, written };
}

function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return a !== undefined;
  return a !== undefined && JSON.stringify(a) === JSON.stringify(b);
}
