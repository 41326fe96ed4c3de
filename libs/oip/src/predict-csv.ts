import { defaultInflateLimit } from "./compression.ts";
import { badCsv, CsvReader } from "./csv-reader.ts";
import { type Datatype, parseDatatype, quoted } from "./datatype.ts";
import { ByteBudget, type ElementSink } from "./element-sink.ts";
import { fitShape } from "./fit-shape.ts";
import { InputNames } from "./input-names.ts";
import { noParameters } from "./parameters.ts";
import type { PredictCall } from "./predict.ts";
import { mismatch, PassedOver } from "./predict-columns.ts";
import { onlyInput, sinkOptionsOf } from "./predict-values.ts";
import { sinkFor } from "./read-values.ts";
import { badRow, type Column, leaveOut, newColumns, tensorOf } from "./row-columns.ts";
import type { SignatureView, TensorSpecView } from "./signature.ts";
import type { Tensor } from "./tensor.ts";

/**
 * Decodes a body of CSV by the model's signature: a header of column names, then a row a line. Cells mean what the signature says of their column; without a
 * meaning they are numbers, true and false, or texts by the input's data type. An empty cell is missing. A model of one matrix has no names for its columns:
 * the rows are its values. Throws INVALID_ARGUMENT naming row and column, RESOURCE_EXHAUSTED for tensors of more than `tensorLimit` bytes.
 */
export function decodePredictCsv(
  body: Uint8Array,
  signature: SignatureView,
  modelName = "",
  modelVersion = "",
  tensorLimit = defaultInflateLimit,
): PredictCall {
  const reader = new CsvReader(body);
  const names = reader.next();
  if (names === undefined) throw badCsv("it is empty", "Begin with a line of column names.");
  const passedOver = new PassedOver();
  const table: Table = {
    reader,
    names,
    signature: withCells(signature),
    budget: new ByteBudget(tensorLimit),
    passedOver,
  };
  const tensors = readTable(table);
  const request = { modelName, modelVersion, id: "", parameters: noParameters, inputs: tensors ?? [], outputs: [] };
  return { request, ignoredColumns: passedOver.header, isEmpty: tensors === undefined };
}

interface Table {
  readonly reader: CsvReader;
  readonly names: readonly string[];
  readonly signature: SignatureView;
  readonly budget: ByteBudget;
  readonly passedOver: PassedOver;
}

/** Undefined for a table without rows. */
function readTable(table: Table): Tensor[] | undefined {
  const { names, signature, passedOver } = table;
  const columns = newColumns(table);
  const inputs = new InputNames(columns, (column) => column.spec.name);
  const places = names.map((name) => inputs.find(name));
  const given = places.filter((place) => place !== undefined);
  if (given.length > new Set(given).size) throw badCsv("its header names a column twice", "Name every column once.");
  const [only] = signature.inputs;
  const isMatrix = signature.inputs.length === 1 && only?.shape.slice(1).some((size) => Number(size) !== 1) === true;
  if (given.length === 0 && isMatrix) return readMatrix(table);
  if (given.length === 0 && signature.inputs.some(({ optional }) => optional !== true)) {
    throw mismatch(signature, `finds none of its inputs among the columns ${names.slice(0, 3).map(quoted).join(", ")}`);
  }
  for (const { spec } of given) {
    if (!isCell(spec))
      throw mismatch(signature, `takes a list as each ${quoted(spec.name)}, which a cell of CSV is not`);
  }
  names.forEach((name, index) => {
    if (places[index] === undefined && name !== "") passedOver.add(name);
  });
  for (const column of columns) column.shape = isCell(column.spec) ? column.inner.map(Math.abs) : column.shape;
  const rows = readRows(table, (cells, row) => putRow({ columns, places, cells, row }));
  return rows === 0 ? undefined : columns.flatMap((column) => tensorOf(column, rows));
}

function putRow(given: {
  columns: readonly Column[];
  places: readonly (Column | undefined)[];
  cells: readonly string[];
  row: number;
}): void {
  const { columns, places, cells, row } = given;
  for (const [index, cell] of cells.entries()) {
    const column = places[index];
    if (column === undefined || (cell === "" && column.spec.optional === true)) continue;
    column.sink.putCell(cell);
    column.lastRow = row;
  }
  for (const column of columns) if (column.lastRow < row) leaveOut(column, row);
}

/** The cells of every row as the values of the one input; a column without a name is pandas' index. */
function readMatrix({ budget, ...table }: Table): Tensor[] | undefined {
  const { names, signature } = table;
  const spec = onlyInput(signature);
  const datatype = parseDatatype(spec.datatype, spec.name);
  const place = (index: number) => {
    const column = kept[index % kept.length] ?? "";
    const row = Math.floor(index / kept.length);
    return { subject: `Row ${row + 1}, column ${quoted(column)}, which is ${datatype},`, field: spec.name };
  };
  const kept = names.filter((name) => name !== "");
  const sink: ElementSink = sinkFor(datatype, { ...sinkOptionsOf(spec), place, budget, capacity: 16 });
  const rows = readRows({ ...table, budget }, (cells) => {
    for (const [index, cell] of cells.entries()) if (names[index] !== "") sink.putCell(cell);
  });
  if (rows === 0) return undefined;
  const inner = fitShape([kept.length], spec.shape.slice(1).map(Number));
  if (inner === undefined) throw mismatch(signature, `takes no table of ${kept.length} columns`);
  return [{ name: spec.name, datatype, shape: [rows, ...inner], bytes: sink.finish() }];
}

function readRows({ reader, names }: Table, put: (cells: readonly string[], row: number) => void): number {
  let rows = 0;
  for (let cells = reader.next(); cells !== undefined; cells = reader.next()) {
    if (cells.length !== names.length) {
      const remedy = "Write every row with all its cells, and cells with the delimiter in them in quotes.";
      throw badRow(rows, `has ${cells.length} cells instead of ${names.length}`, remedy);
    }
    put(cells, rows++);
  }
  return rows;
}

/** Whether a row of an input can be one element, as a cell is. */
function isCell({ shape }: TensorSpecView): boolean {
  return shape.slice(1).every((size) => Number(size) === 1 || Number(size) < 0);
}

/** Every cell is text: what it stands for follows from the data type, where the signature does not say. */
function withCells(signature: SignatureView): SignatureView {
  const inputs = signature.inputs.map((spec) => ({
    ...spec,
    cells: spec.cells ?? plainCells(parseDatatype(spec.datatype, spec.name)),
  }));
  return { ...signature, inputs };
}

function plainCells(datatype: Datatype) {
  const words = { missing: [], trueWords: ["true"], falseWords: ["false"] };
  if (datatype === "BYTES") return { ...words, kind: "text" as const };
  return { ...words, kind: datatype === "BOOL" ? ("boolean" as const) : ("number" as const) };
}
