import { AimassError, didYouMean } from "@aimass/core";
import type { Batch } from "./batch.ts";
import type { ColumnProfile } from "./profile/column-profile.ts";
import type { Inference } from "./profile/inference.ts";
import { type ColumnSchema, type DatasetSchema, isWarningOf, listed, quote } from "./schema.ts";

/** Which columns of a file are read, and what they are called; all names but the new ones are those of the file. */
export interface ColumnChoices {
  /** The only ones; empty: all. */
  readonly columns?: readonly string[];
  readonly without?: readonly string[];
  /** New names by old ones. That of a column of lists is the beginning of its numbers' names. */
  readonly rename?: ReadonlyMap<string, string>;
}

/** What people decided about the columns of a file. */
export class ColumnChoice {
  readonly #only: ReadonlySet<string> | undefined;
  readonly #without: ReadonlySet<string>;
  readonly #rename: ReadonlyMap<string, string>;

  constructor({ columns = [], without = [], rename = new Map() }: ColumnChoices) {
    this.#only = columns.length === 0 ? undefined : new Set(columns);
    this.#without = new Set(without);
    this.#rename = rename;
  }

  /** Whether a column of the file is read: it, or one of the numbers of its lists, is wanted. */
  wants(name: string): boolean {
    if (this.#without.has(name)) return false;
    return this.#only === undefined || this.#only.has(name) || [...this.#only].some((one) => isElement(one, name));
  }

  /** Whether a column is wanted by its name. */
  names(name: string): boolean {
    return this.#only?.has(name) ?? false;
  }

  /** What is left of an inference, under its new names. `found`: every column of the file. Errors: INVALID_ARGUMENT for names that no column has. */
  apply(inference: Inference, found: readonly string[]): Inference {
    const { columns } = inference.schema;
    this.check([...found, ...columns.map(({ name }) => name)]);
    const kept = columns.flatMap((column, index) => (this.#keeps(column) ? [index] : []));
    if (kept.length === 0) throw nothingLeft("No column is left to be read.", found);
    const schema = kept.map((index) => this.#renamed(columns[index] as ColumnSchema));
    assertDistinct(schema);
    const profiles =
      inference.columns.length === 0 ? [] : kept.map((index) => inference.columns[index] as ColumnProfile);
    const isPartial = kept.length < columns.length || found.some((name) => !this.wants(name));
    return {
      ...inference,
      columns: profiles.map((profile) => this.#renamed(profile)),
      schema: { ...inference.schema, columns: schema, ...(isPartial && { partial: true }) },
      warnings: this.#renameWarnings(
        inference.warnings,
        columns.filter((column) => !this.#keeps(column)).map(({ name }) => name),
      ),
    };
  }

  #keeps({ name, source }: ColumnSchema): boolean {
    if (this.#without.has(name)) return false;
    return this.#only === undefined || this.#only.has(name) || (source !== undefined && this.#only.has(source));
  }

  /** A list that is renamed takes its numbers along: "vector_0" becomes "v_0". */
  #listName({ name, source, element }: Pick<ColumnSchema, "name" | "source" | "element">): string | undefined {
    const list = source === undefined || element === undefined ? undefined : this.#rename.get(source);
    return list === undefined || source === undefined ? undefined : `${list}${name.slice(source.length)}`;
  }

  #renamed<T extends Pick<ColumnSchema, "name" | "source" | "element">>(column: T): T {
    const name = this.#rename.get(column.name) ?? this.#listName(column);
    return name === undefined || name === column.name
      ? column
      : { ...column, name, source: column.source ?? column.name };
  }

  /** Errors: INVALID_ARGUMENT for names that none of a file's columns has. */
  check(names: readonly string[]): void {
    const found = new Set(names);
    const named = { columns: this.#only ?? [], without: this.#without, rename: this.#rename.keys() };
    for (const [field, names] of Object.entries(named)) {
      for (const name of names) {
        if (found.has(name)) continue;
        throw new AimassError("INVALID_ARGUMENT", `The file has no column ${quote(name)}.`, {
          field,
          remedy: `${didYouMean(name, [...found])}Its columns are ${listed([...found])}.`,
        });
      }
    }
  }

  #renameWarnings(warnings: readonly string[], left: readonly string[]): readonly string[] {
    return warnings
      .filter((warning) => !left.some((name) => isWarningOf(warning, name)))
      .map((warning) => {
        const old = [...this.#rename.keys()].find((name) => isWarningOf(warning, name));
        if (old === undefined) return warning;
        return `Column ${quote(this.#rename.get(old) as string)}${warning.slice(`Column ${quote(old)}`.length)}`;
      });
  }
}

/** How a reader knows a column: by its name in the file, which may be that of another column now. */
export function nameInFile({ name, source, element }: ColumnSchema): string {
  if (element !== undefined) return `${source}[${element}]`;
  return source ?? name;
}

/** The schema as the readers take it. */
export function schemaInFile(schema: DatasetSchema): DatasetSchema {
  if (schema.columns.every(({ source }) => source === undefined)) return schema;
  return { ...schema, columns: schema.columns.map((column) => ({ ...column, name: nameInFile(column) })) };
}

/** A batch under the names of the schema. */
export function renameBatch(batch: Batch, names: ReadonlyMap<string, string>): Batch {
  return { ...batch, columns: new Map([...batch.columns].map(([name, data]) => [names.get(name) ?? name, data])) };
}

function isElement(name: string, list: string): boolean {
  return name.startsWith(`${list}_`) && /^\d+$/.test(name.slice(list.length + 1));
}

function assertDistinct(columns: readonly ColumnSchema[]): void {
  const seen = new Set<string>();
  for (const { name } of columns) {
    if (seen.has(name)) {
      throw new AimassError("INVALID_ARGUMENT", `Two columns would be called ${quote(name)}.`, {
        field: "rename",
        remedy: "Give every column a name of its own, or leave one of them out.",
      });
    }
    seen.add(name);
  }
}

function nothingLeft(message: string, found: readonly string[]): AimassError {
  const remedy = `The columns of the file are ${listed(found)}.`;
  return new AimassError("INVALID_ARGUMENT", message, { reason: "BAD_FILE", field: "without", remedy });
}
