import { AimassError, timeOfIso } from "@aimass/core";
import { type ColumnData, valueAt } from "../batch.ts";
import { badCell } from "../cells/bad-cell.ts";
import type { Dataset } from "../dataset.ts";

/** What decides on a row's part, for all rows of a table; a class and a group are numbers from 0. */
export interface RowKeys {
  readonly rows: number;
  readonly classes: Uint32Array | undefined;
  /** By class; "" stands for rows without a value. */
  readonly classNames: readonly string[];
  readonly groups: Uint32Array | undefined;
  readonly groupCount: number;
  /** Milliseconds since 1970, or the column's numbers. */
  readonly times: Float64Array | undefined;
}

export interface KeyColumns {
  readonly stratifyBy?: string | undefined;
  readonly groupBy?: string | undefined;
  readonly timeBy?: string | undefined;
}

const mostClasses = 100_000;
const batchRows = 8192;

/** Reads the key columns of a dataset once. Takes up to 16 bytes a row. */
export async function readRowKeys(dataset: Dataset, by: KeyColumns, signal?: AbortSignal): Promise<RowKeys> {
  const columns = [by.stratifyBy, by.groupBy, by.timeBy].filter((name) => name !== undefined);
  const classes = new Interner(mostClasses, by.stratifyBy);
  const groups = new Interner(2 ** 32 - 1, by.groupBy);
  const times = new GrowingDoubles();
  let rows = 0;
  // Without a key column only the number of rows matters, and one column is enough to count them.
  const read = columns.length > 0 ? columns : [dataset.schema.columns[0]?.name as string];
  for await (const batch of dataset.batches({ columns: read, batchRows, signal })) {
    for (let row = 0; row < batch.rows; row++) {
      if (by.stratifyBy !== undefined) classes.add(keyAt(batch.columns.get(by.stratifyBy), row));
      if (by.groupBy !== undefined) groups.addOrOwn(keyAt(batch.columns.get(by.groupBy), row));
      if (by.timeBy !== undefined) times.add(timeAt(batch.columns.get(by.timeBy), row, rows + row, by.timeBy));
    }
    rows += batch.rows;
  }
  return {
    rows,
    classes: by.stratifyBy === undefined ? undefined : classes.ids(),
    classNames: classes.names(),
    groups: by.groupBy === undefined ? undefined : groups.ids(),
    groupCount: groups.count,
    times: by.timeBy === undefined ? undefined : times.values(),
  };
}

/** A value that can be compared: images are not. */
export function keyAt(column: ColumnData | undefined, row: number): string | number | undefined {
  if (column === undefined) return undefined;
  const value = valueAt(column, row);
  if (typeof value === "object") {
    throw new AimassError("INVALID_ARGUMENT", "A column of images cannot decide on a split.", {
      remedy: "Name another column.",
    });
  }
  return typeof value === "boolean" ? String(value) : value;
}

function timeAt(column: ColumnData | undefined, row: number, fileRow: number, name: string): number {
  const value = keyAt(column, row);
  const time = typeof value === "string" ? timeOfIso(value) : (value ?? Number.NaN);
  if (!Number.isNaN(time)) return time;
  throw badCell({
    row: fileRow + 1,
    column: name,
    ...(value === undefined ? {} : { value: String(value) }),
    problem: value === undefined ? "there is no time to split by" : "is no ISO 8601 date",
    remedy: "Write 2025-01-31 or 2025-01-31T12:00:00Z in every row, or split in another way.",
  });
}

/** Gives every different value a number, in order of appearance. */
class Interner {
  count = 0;
  readonly #most: number;
  readonly #column: string | undefined;
  readonly #numbers = new Map<string | number | undefined, number>();
  readonly #ids = new GrowingDoubles();

  constructor(most: number, column: string | undefined) {
    this.#most = most;
    this.#column = column;
  }

  add(value: string | number | undefined): void {
    let id = this.#numbers.get(value);
    if (id === undefined) {
      id = this.count++;
      if (this.count > this.#most) this.#refuse();
      this.#numbers.set(value, id);
    }
    this.#ids.add(id);
  }

  /** As `add`, but a missing value is different from every other. */
  addOrOwn(value: string | number | undefined): void {
    if (value === undefined) this.#ids.add(this.count++);
    else this.add(value);
  }

  ids(): Uint32Array {
    return Uint32Array.from(this.#ids.values());
  }

  names(): string[] {
    return Array.from(this.#numbers.keys(), (value) => (value === undefined ? "" : String(value)));
  }

  #refuse(): never {
    throw new AimassError(
      "INVALID_ARGUMENT",
      `Column ${JSON.stringify(this.#column)} has more than ${this.#most.toLocaleString("en")} values.`,
      {
        field: "stratifyBy",
        remedy: "Stratify by a column of classes, or leave it out.",
      },
    );
  }
}

/** A list of numbers at eight bytes each. */
class GrowingDoubles {
  #values = new Float64Array(1024);
  #length = 0;

  add(value: number): void {
    if (this.#length === this.#values.length) {
      const larger = new Float64Array(this.#length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = value;
  }

  values(): Float64Array {
    return this.#values.subarray(0, this.#length);
  }
}
