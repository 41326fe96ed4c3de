import { AimassError, closest } from "@aimass/core";
import type { Batch, ColumnData } from "@aimass/datasets";
import type { RestMetadata } from "../client/rest-inference.ts";
import { cellText, type TableColumn } from "./table-column.ts";

type InputSpec = RestMetadata["inputs"][number];

/** One input of a row as JSON. */
type Part = (batch: Batch, row: number) => string;

/**
 * Makes JSON rows for `/predict` of a table's rows: an object of the columns that are inputs, by their names, or for a model of one matrix, whose columns have
 * no names, a list of all columns in their order.
 */
export class RowEncoder {
  /** Columns of the table that are no inputs. */
  readonly unused: readonly string[];
  /** Inputs that no column of the table is called as. */
  readonly absent: readonly string[];
  readonly #encode: Part;

  /** Errors: INVALID_ARGUMENT for a table without any of the model's inputs. */
  constructor(columns: readonly TableColumn[], { inputs }: Pick<RestMetadata, "inputs">) {
    const byInput = new Map(inputs.map((input) => [input.name, columnsFor(input, columns)]));
    const matched = inputs.filter(({ name }) => byInput.get(name)?.length);
    const [only] = inputs;
    if (matched.length === 0 && inputs.length === 1 && only !== undefined && isMatrix(only)) {
      assertWidth(only, columns);
      this.unused = [];
      this.absent = [];
      this.#encode = listOf(columns.map((column) => cellOf(column, only)));
      return;
    }
    if (matched.length === 0) throw noInputs(inputs, columns);
    const used = new Set([...byInput.values()].flat());
    this.unused = columns.filter((column) => !used.has(column)).map(({ name }) => name);
    this.absent = inputs.filter((input) => !matched.includes(input)).map(({ name }) => name);
    this.#encode = objectOf(
      matched.map((input) => [input.name, partOf(input, byInput.get(input.name) ?? [])] as const),
    );
  }

  /** A row of a batch as JSON. */
  encode(batch: Batch, row: number): string {
    return this.#encode(batch, row);
  }
}

/** The column that is called as the input, or those that hold the numbers of its lists, in order. */
function columnsFor({ name }: InputSpec, columns: readonly TableColumn[]): readonly TableColumn[] {
  const itself = columns.find((column) => column.name === name && column.schema.element === undefined);
  if (itself !== undefined) return [itself];
  return columns
    .filter(({ schema }) => schema.source === name && schema.element !== undefined)
    .sort((one, other) => (one.schema.element ?? 0) - (other.schema.element ?? 0));
}

function partOf(input: InputSpec, columns: readonly TableColumn[]): Part {
  const [first] = columns;
  if (first?.schema.element === undefined && first !== undefined) return cellOf(first, input);
  return listOf(columns.map((column) => cellOf(column, input)));
}

function cellOf(column: TableColumn, { datatype }: InputSpec): Part {
  const { name } = column;
  const json = datatype === "BYTES" ? (text: string) => column.text(text) : (text: string) => column.number(text);
  return ({ columns }, row) => {
    const text = cellText(columns.get(name) as ColumnData, row);
    return text === undefined ? "null" : json(text);
  };
}

function listOf(parts: readonly Part[]): Part {
  return (batch, row) => `[${parts.map((part) => part(batch, row)).join(",")}]`;
}

function objectOf(parts: readonly (readonly [name: string, part: Part])[]): Part {
  const named = parts.map(([name, part]) => [`${JSON.stringify(name)}:`, part] as const);
  return (batch, row) => `{${named.map(([key, part]) => key + part(batch, row)).join(",")}}`;
}

function isMatrix({ shape }: InputSpec): boolean {
  return shape.slice(1).some((axis) => axis !== 1);
}

/** A target or a name among the columns would shift all others. */
function assertWidth({ name, shape }: InputSpec, columns: readonly TableColumn[]): void {
  const inner = shape.slice(1);
  const width = inner.reduce((product, axis) => product * axis, 1);
  if (inner.some((axis) => axis < 0) || width === columns.length) return;
  const message = `The model takes ${width} values a row as ${name}, without names; the file has ${columns.length} columns.`;
  const shown = columns.slice(0, 10).map((column) => column.name);
  throw new AimassError("INVALID_ARGUMENT", message, {
    remedy: `Choose them with --columns or --without; the file's are ${shown.join(", ")}${columns.length > 10 ? " …" : ""}.`,
  });
}

function noInputs(inputs: readonly InputSpec[], columns: readonly TableColumn[]): AimassError {
  const names = columns.map(({ name }) => name);
  const listed = (all: readonly string[]) => `${all.slice(0, 10).join(", ")}${all.length > 10 ? " …" : ""}`;
  const input = inputs[0]?.name ?? "";
  const like = closest(input, names) ?? names[0] ?? "column";
  return new AimassError(
    "INVALID_ARGUMENT",
    `None of the file's columns (${listed(names)}) is an input of the model (${listed(inputs.map(({ name }) => name))}).`,
    { remedy: `Call them as the inputs, for instance with --rename ${like}=${input}.` },
  );
}
