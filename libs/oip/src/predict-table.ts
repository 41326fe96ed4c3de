import { AimassError } from "@aimass/core";
import { quoted } from "./datatype.ts";
import { InputNames } from "./input-names.ts";
import { describe, findFields, isArray, type Json, treeAt } from "./json.ts";
import { badJson, type JsonRange, shownKind } from "./json-reader.ts";
import { mismatch } from "./predict-columns.ts";
import type { Means } from "./predict-means.ts";
import { readRows } from "./predict-rows.ts";
import { onlyInput, readValueRows } from "./predict-values.ts";
import { badRow, type Column, leaveOut, newColumns, readCell, tensorOf } from "./row-columns.ts";
import type { SignatureView } from "./signature.ts";
import type { Tensor } from "./tensor.ts";

/** What stands where in a row that is a list; undefined is passed over. */
type Places = readonly (Column | undefined)[];

/**
 * Reads a list of rows: objects by column name; lists of cells in the order of the model's inputs; or, for a model of one input, its values. Undefined for an
 * empty list.
 */
export function readInstances(means: Means, { start }: JsonRange, what: string): Tensor[] | undefined {
  const { reader, signature } = means;
  reader.at = start;
  const kind = enterList(means, what);
  if (kind === undefined) return undefined;
  reader.at = start;
  if (kind === "object") return readRows(means);
  if (kind === "list" && hasCells(signature)) {
    const columns = newColumns(means);
    return readLists(means, columns, columns);
  }
  return [readValueRows(means, onlyInput(signature))];
}

/** Reads rows that are objects by column name, and nothing else. Undefined for an empty list. */
export function readRecords(means: Means, { start }: JsonRange): Tensor[] | undefined {
  const { reader } = means;
  reader.at = start;
  const kind = enterList(means, '"dataframe_records"');
  if (kind === undefined) return undefined;
  if (kind !== "object")
    throw badRow(0, `is ${shownKind(kind)} instead of an object`, "Name the columns in every row.");
  reader.at = start;
  return readRows(means);
}

/**
 * Reads a table as pandas' `to_dict(orient="split")` writes it: `columns` and `data`, a list of cells for each row; its index is passed over. Without column
 * names the cells are in the order of the model's inputs. A model of one matrix has no names for its columns: the rows are its values. Undefined for a
 * table without rows.
 */
export function readSplit(means: Means, { start }: JsonRange): Tensor[] | undefined {
  const { reader, signature } = means;
  reader.at = start;
  if (reader.kind() !== "object") {
    throw badJson(`"dataframe_split" is ${shownKind(reader.kind())} instead of an object with "columns" and "data"`);
  }
  const { columns, data } = findFields(reader, ["columns", "data"]);
  if (data === undefined) throw badJson('"dataframe_split" has no "data"');
  const names = columnNames(treeAt(reader, columns, '"columns"'));
  if (names === undefined) return readInstances(means, data, '"data"');
  reader.at = data.start;
  const kind = enterList(means, '"data"');
  if (kind === undefined) return undefined;
  reader.at = data.start;
  const known = newColumns(means);
  const places = placesOf(known, names);
  if (places.some((place) => place !== undefined) || signature.inputs.every(({ optional }) => optional === true)) {
    names.forEach((name, index) => {
      if (places[index] === undefined) means.passedOver.add(name);
    });
    return readLists(means, known, places);
  }
  if (signature.inputs.length === 1 && !hasCells(signature)) return [readValueRows(means, onlyInput(signature))];
  throw mismatch(signature, `finds none of its inputs among the columns ${names.slice(0, 3).map(quoted).join(", ")}`);
}

/** The kind of the first entry of a list; undefined when it has none. */
function enterList({ reader }: Means, what: string) {
  if (reader.kind() !== "list") throw badJson(`${what} is ${shownKind(reader.kind())} instead of a list of rows`);
  reader.enter("list");
  return reader.more("list", true) ? reader.kind() : undefined;
}

function readLists(means: Means, columns: readonly Column[], places: Places): Tensor[] {
  const { reader } = means;
  let rows = 0;
  reader.enter("list");
  for (; reader.more("list", rows === 0); rows++) {
    if (reader.kind() !== "list") {
      throw badRow(rows, `is ${shownKind(reader.kind())} among rows that are lists`, "Send all rows alike.");
    }
    readList(means, places, rows);
    for (const column of columns) if (column.lastRow < rows) leaveOut(column, rows);
  }
  return columns.flatMap((column) => tensorOf(column, rows));
}

function readList({ reader }: Means, places: Places, row: number): void {
  let cells = 0;
  reader.enter("list");
  for (; reader.more("list", cells === 0); cells++) {
    const column = places[cells];
    if (column === undefined) reader.skip();
    else readCell(reader, column, row);
  }
  if (cells === places.length) return;
  throw badRow(
    row,
    `has ${cells} cells instead of ${places.length}`,
    "Give every column a cell, null where it has none.",
  );
}

/** Whether a row that is a list has a cell for each input, rather than the values of one. */
function hasCells({ inputs }: SignatureView): boolean {
  const [first] = inputs;
  return inputs.length > 1 || first?.shape.slice(1).every((size) => Number(size) === 1) === true;
}

function placesOf(columns: readonly Column[], names: readonly string[]): Places {
  const inputs = new InputNames(columns, (column) => column.spec.name);
  const places = names.map((name) => inputs.find(name));
  const seen = new Set<Column>();
  const twice = places.find((place) => place !== undefined && (seen.has(place) || !seen.add(place)));
  if (twice === undefined) return places;
  throw new AimassError("INVALID_ARGUMENT", `The columns name ${quoted(twice.spec.name)} twice.`, {
    reason: "BAD_ROW",
    field: "columns",
    remedy: "Name every column once.",
  });
}

/** pandas also writes numbers as names. */
function columnNames(columns: Json | undefined): string[] | undefined {
  if (columns === undefined) return undefined;
  if (!isArray(columns)) throw badJson(`"columns" is ${describe(columns)} instead of a list of names`);
  return columns.map((name) => {
    if (typeof name === "string" || typeof name === "number" || typeof name === "bigint") return String(name);
    throw badJson(`"columns" has ${describe(name)} among its names`);
  });
}
