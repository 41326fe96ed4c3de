import { createHash } from "node:crypto";
import { type Batch, type ColumnData, valueAt } from "../batch.ts";
import type { Dataset } from "../dataset.ts";
import { hashNumber, hashText, mix } from "../hash.ts";
import { type RowAssignment, unassigned } from "./assignment.ts";
import { ContentTable } from "./content-table.ts";
import { keyAt } from "./row-keys.ts";

export interface LeakageOptions {
  /** Columns that make rows alike; all when left out. Leave out ids and, to find contradicting labels, the target. */
  readonly columns?: readonly string[];
  /** A column whose values should not be in two parts. */
  readonly groupBy?: string;
  /** Most examples of each kind, 20 when left out. */
  readonly examples?: number;
  readonly signal?: AbortSignal;
}

/** What of one part is also in another. Plain JSON. */
export interface LeakageReport {
  readonly duplicates: {
    /** Rows of other parts that are like a row of the first part, which is learnt from; together and by part. Independent of the order of the rows. */
    readonly rows: number;
    readonly byPart: Readonly<Record<string, number>>;
    /** Contents that are in more than one part, of which no row need be in the first. */
    readonly contents: number;
    /** Some of those contents: a row of a later part and the first row of the earliest. */
    readonly examples: readonly DuplicateExample[];
  };
  /** Groups in more than one part, and some of them. Absent without `groupBy`. */
  readonly groups?: {
    readonly count: number;
    readonly examples: readonly { readonly group: string; readonly parts: readonly string[] }[];
  };
}

/** Two rows that are alike, as indices in the file from 0. */
export interface DuplicateExample {
  readonly row: number;
  readonly part: string;
  readonly firstRow: number;
  readonly firstPart: string;
}

const batchRows = 4096;

/**
 * Looks for rows and groups that are in more than one part. Rows are compared by a 64-bit hash of their values (images by their bytes):
 * a chance match among 10 million different rows has a probability of 3 · 10⁻⁶. Takes about 60 bytes a row of three parts.
 */
export async function checkLeakage(
  dataset: Dataset,
  assignment: RowAssignment,
  options: LeakageOptions = {},
): Promise<LeakageReport> {
  const compared = options.columns ?? dataset.schema.columns.map((column) => column.name);
  const extra = options.groupBy === undefined ? [] : [options.groupBy];
  const columns = [...new Set([...compared, ...assignment.columns, ...extra])];
  const search = new LeakageSearch(assignment, compared, options);
  for await (const batch of dataset.batches({ columns, batchRows, signal: options.signal })) await search.add(batch);
  return search.report();
}

class LeakageSearch {
  readonly #assignment: RowAssignment;
  readonly #compared: readonly string[];
  readonly #groupBy: string | undefined;
  readonly #most: number;
  readonly #table: ContentTable;
  readonly #groups = new Map<string | number, Set<number>>();

  constructor(assignment: RowAssignment, compared: readonly string[], options: LeakageOptions) {
    this.#assignment = assignment;
    this.#compared = compared;
    this.#groupBy = options.groupBy;
    this.#most = options.examples ?? 20;
    this.#table = new ContentTable(assignment.parts.length);
  }

  async add(batch: Batch): Promise<void> {
    const parts = this.#assignment.partsOf(batch);
    const highs = new Uint32Array(batch.rows);
    const lows = new Uint32Array(batch.rows);
    for (const name of this.#compared) await hashColumn(batch.columns.get(name) as ColumnData, highs, lows);
    for (let row = 0; row < batch.rows; row++) {
      const part = parts[row] as number;
      if (part === unassigned) continue;
      this.#table.add(highs[row] as number, lows[row] as number, { row: batch.firstRow + row, part });
      if (this.#groupBy !== undefined) this.#note(keyAt(batch.columns.get(this.#groupBy), row), part);
    }
  }

  report(): LeakageReport {
    const duplicates = this.#duplicates();
    if (this.#groupBy === undefined) return { duplicates };
    const spanning = [...this.#groups].filter(([, parts]) => parts.size > 1);
    const examples = spanning.slice(0, this.#most).map(([group, parts]) => ({
      group: String(group),
      parts: [...parts].sort((a, b) => a - b).map((part) => this.#assignment.parts[part] as string),
    }));
    return { duplicates, groups: { count: spanning.length, examples } };
  }

  #duplicates(): LeakageReport["duplicates"] {
    const rows = this.#assignment.parts.map(() => 0);
    const examples: DuplicateExample[] = [];
    let contents = 0;
    for (const { firstRows, counts } of this.#table.spanning()) {
      contents++;
      if (firstRows[0] !== undefined)
        for (let part = 1; part < rows.length; part++) rows[part] = (rows[part] ?? 0) + (counts[part] ?? 0);
      examples.push(...this.#examplesOf(firstRows));
      if (examples.length > 1000 + this.#most) trim(examples, this.#most);
    }
    trim(examples, this.#most);
    const byPart = Object.fromEntries(this.#assignment.parts.map((name, part) => [name, rows[part] as number]));
    return { rows: rows.reduce((sum, count) => sum + count, 0), byPart, contents, examples };
  }

  #examplesOf(firstRows: readonly (number | undefined)[]): DuplicateExample[] {
    const { parts } = this.#assignment;
    const earliest = firstRows.findIndex((row) => row !== undefined);
    const [firstRow, firstPart] = [firstRows[earliest] as number, parts[earliest] as string];
    return firstRows.flatMap((row, part) =>
      row === undefined || part === earliest ? [] : [{ row, part: parts[part] as string, firstRow, firstPart }],
    );
  }

  #note(group: string | number | undefined, part: number): void {
    if (group === undefined) return;
    const parts = this.#groups.get(group);
    if (parts === undefined) this.#groups.set(group, new Set([part]));
    else parts.add(part);
  }
}

/** Leaves the first of the file. */
function trim(examples: DuplicateExample[], most: number): void {
  examples.sort((a, b) => a.row - b.row);
  examples.length = Math.min(examples.length, most);
}

/** Adds one column to the hashes of a batch's rows. */
async function hashColumn(column: ColumnData, highs: Uint32Array, lows: Uint32Array): Promise<void> {
  for (let row = 0; row < highs.length; row++) {
    const hash = hashCell(column, row);
    const [high, low] = hash instanceof Promise ? await hash : hash;
    highs[row] = mix(Math.imul(highs[row] as number, 31) + high);
    lows[row] = mix(Math.imul(lows[row] as number, 37) + low);
  }
}

function hashCell(column: ColumnData, row: number): readonly [number, number] | Promise<readonly [number, number]> {
  const value = valueAt(column, row);
  if (value === undefined) return [1, 1];
  if (typeof value === "number") return [hashNumber(value, 3), hashNumber(value, 4)];
  if (typeof value === "string") return [hashText(value, 3), hashText(value, 4)];
  if (typeof value === "boolean") return value ? [2, 3] : [3, 2];
  return value.read().then((bytes) => {
    const digest = createHash("sha256").update(bytes).digest();
    return [digest.readUInt32LE(0), digest.readUInt32LE(4)] as const;
  });
}
