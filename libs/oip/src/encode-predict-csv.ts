import type { AnswerForm } from "./encode-predict.ts";
import { elementTexts } from "./json-elements.ts";
import type { InferResponse, Tensor } from "./tensor.ts";
import { TextChunks } from "./text-chunks.ts";

/**
 * Encodes the answer of POST /predict as CSV (RFC 4180): a line of column names, then a row of the request a line. An output of one element a row is a column
 * of its name; one of more has a column for each, named by its class where the signature tells it, else by its place: `probabilities_no`, `y_0`. Undefined
 * where the outputs are not by the rows of the request.
 */
export function encodePredictCsv({ outputs }: Pick<InferResponse, "outputs">, form: AnswerForm): Buffer | undefined {
  const rows = outputs[0]?.shape[0] ?? 1;
  const isTable = outputs.every(({ shape }) => (shape[0] ?? 1) === rows);
  if (!isTable || (outputs.length > 1 && !form.isByRow)) return undefined;
  const columns = outputs.flatMap((output) => columnsOf(output, form));
  const out = new TextChunks();
  out.add(`${columns.map(({ name }) => cellOf(name)).join(",")}\n`);
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
  const { name, shape } = output;
  const width = shape.slice(1).reduce((product, size) => product * size, 1);
  const json = elementTexts(output);
  const text = (index: number) => {
    const element = json(index);
    return element.startsWith('"') ? cellOf(JSON.parse(element) as string) : element;
  };
  const labels = form.outputs.find((spec) => spec.name === name)?.labels ?? [];
  const nameOf = (place: number) => `${name}_${labels.length === width ? labels[place] : place}`;
  return Array.from({ length: width }, (_, place) => ({
    name: shape.length < 2 || width === 1 ? name : nameOf(place),
    cell: (row) => text(row * width + place),
  }));
}

function cellOf(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
