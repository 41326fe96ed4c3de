import { type ColumnData, type ColumnProfile, type Dataset, valueAt } from "@aimass/datasets";

interface Columns {
  readonly profiles: readonly ColumnProfile[];
  readonly target: ColumnProfile;
}

/** Feature columns that have the target's value in every row. None when no other would be left: then they are all there is to learn from. */
export async function copiesOfTarget(
  dataset: Dataset,
  { profiles, target }: Columns,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const alike = new Set(profiles.filter((profile) => isAlike(profile, target)).map(({ name }) => name));
  if (alike.size === 0 || alike.size === profiles.length) return [];
  const columns = [...alike, target.name];
  for await (const batch of dataset.batches({ columns, batchRows: 4096, signal })) {
    const own = batch.columns.get(target.name) as ColumnData;
    for (const name of alike) {
      const other = batch.columns.get(name) as ColumnData;
      for (let row = 0; row < batch.rows; row++) {
        if (valueAt(own, row) === valueAt(other, row)) continue;
        alike.delete(name);
        break;
      }
    }
    if (alike.size === 0) return [];
  }
  return [...alike];
}

/** Whether a column's figures are those of another, which saves reading most of them. */
function isAlike(a: ColumnProfile, b: ColumnProfile): boolean {
  return a.type !== "image" && fingerprint(a) === fingerprint(b);
}

function fingerprint({ type, count, missing, distinct, statistics }: ColumnProfile): string {
  const figures = statistics.kind === "number" ? [statistics.minimum, statistics.maximum, statistics.mean] : [];
  return JSON.stringify([type, count, missing, distinct?.count, figures]);
}
