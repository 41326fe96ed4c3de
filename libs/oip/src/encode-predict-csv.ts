import type { AnswerForm } from "./encode-predict.ts";
import { elementTexts } from "./json-elements.ts";
import type { InferResponse, Tensor } from "./tensor.ts";
import { TextChunks } from "./text-chunks.ts";

/**
 * Encodes the answer of POST /predict as CSV (RFC 4180): a line of column names, then a row of the request a line. An output of one element a row is a column
 * of its name; one of more has a column for each, named by its class where the signature tells it, else by its place: `probabilities_no`, `y_0`. Without
 * outputs, as a request without rows has none, it is the names alone. Undefined where the outputs are not by the rows of the request.
 */
export function encodePredictCsv({ outputs }: Pick<InferResponse, "outputs">, form: AnswerForm): Buffer | undefined {
  const rows = outputs[0]?.shape[0] ?? 1;
  const isTable = outputs.every(({ shape }) => (shape[0] ?? 1) === rows);
  if (!isTable || ((outputs.length || form.outputs.length) > 1 && !form.isByRow)) return undefined;
  const out = new TextChunks();
  if (outputs.length === 0) {
    out.add(headerOf(form.outputs.flatMap(({ name, shape }) => columnNames({ name, shape: shape.map(Number) }, form))));
    return out.finish();
  }
  const columns = outputs.flatMap((output) => columnsOf(output, form));
  out.add(headerOf(columns.map(({ name }) => name)));
  for (let row = 0; row < rows && columns.length > 0; row++) {
    for (const [index, column] of columns.entries()) out.add(`${index === 0 ? "" : ","}${column.cell(row)}`);
    out.add("\n");
  }
  return out.finish();
}

interface CsvColumn {
  readonly name: string;
  readonly cell: (row: number) => string;
}

function columnsOf(output: Tensor, form: AnswerForm): CsvColumn[] {
  const json = elementTexts(output);
  const text = (index: number) => {
    const element = json(index);
    return element.startsWith('"') ? cellOf(JSON.parse(element) as string) : element;
  };
  const names = columnNames(output, form);
  return names.map((name, place) => ({ name, cell: (row) => text(row * names.length + place) }));
}

/** Names of an output's columns; of one whose size is not known, of which there is none yet, its own name alone. */
function columnNames({ name, shape }: Pick<Tensor, "name" | "shape">, form: AnswerForm): string[] {
  const labels = form.outputs.find((spec) => spec.name === name)?.labels ?? [];
  const size = shape.slice(1).reduce((product, axis) => product * axis, 1);
  const width = shape.some((axis, place) => place > 0 && axis < 0) ? labels.length || 1 : size;
  if (shape.length < 2 || width === 1) return [name];
  return Array.from({ length: width }, (_, place) => `${name}_${labels.length === width ? labels[place] : place}`);
}

function headerOf(names: readonly string[]): string {
  return `${names.map(cellOf).join(",")}\n`;
}

function cellOf(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
