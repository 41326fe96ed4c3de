import { elementTexts } from "./json-elements.ts";
import type { SignatureView } from "./signature.ts";
import type { InferResponse, Tensor } from "./tensor.ts";
import { TextChunks } from "./text-chunks.ts";

/** What the form of an answer follows from: the model, never how many rows a request had. */
export interface AnswerForm {
  readonly outputs: SignatureView["outputs"];
  /** Whether axis 0 of every output is the rows of the request. */
  readonly isByRow: boolean;
}

/**
 * Encodes the answer of POST /predict: `{"predictions": […]}`.
 *
 * - One output: its values along axis 0, nested as its further axes.
 * - Several outputs whose axis 0 is the rows: an object by output name for each row.
 * - Several others: one object of whole outputs.
 *
 * Where the signature names the classes of an output's last axis, they stand beside the predictions, in the order of the scores:
 * `"classes": {"probabilities": ["no", "yes"]}`.
 */
export function encodePredict({ outputs }: Pick<InferResponse, "outputs">, form: AnswerForm): Buffer {
  const out = new TextChunks();
  const writers = outputs.map((tensor) => new EntryWriter(tensor, out));
  const [only] = writers;
  const rows = form.isByRow ? rowsOf(outputs) : undefined;
  out.add('{"predictions":[');
  if (writers.length === 1 && only !== undefined) writeEntries(out, only.entries, (entry) => only.entry(entry));
  else if (rows !== undefined) {
    writeEntries(out, rows, (row) => writeObject(writers, out, (writer) => writer.entry(row)));
  } else if (writers.length > 0) writeObject(writers, out, (writer) => writer.whole());
  out.add(`]${classesOf(outputs, form)}}`);
  return out.finish();
}

/** Writes the entries of one tensor along axis 0; a scalar is one entry. */
class EntryWriter {
  readonly name: string;
  readonly entries: number;
  readonly #shape: readonly number[];
  readonly #size: number;
  readonly #text: (index: number) => string;
  readonly #out: TextChunks;

  constructor(tensor: Tensor, out: TextChunks) {
    this.name = tensor.name;
    this.#shape = tensor.shape;
    this.entries = tensor.shape[0] ?? 1;
    this.#size = tensor.shape.slice(1).reduce((product, axis) => product * axis, 1);
    this.#text = elementTexts(tensor);
    this.#out = out;
  }

  entry(index: number): void {
    this.#write(index * this.#size, 1, this.#size);
  }

  whole(): void {
    this.#write(0, 0, this.entries * this.#size);
  }

  /** Writes `size` elements from `from` on, nested as the axes from `axis` on. */
  #write(from: number, axis: number, size: number): void {
    const out = this.#out;
    if (axis >= this.#shape.length) {
      out.add(this.#text(from));
      return;
    }
    const length = this.#shape[axis] as number;
    const inner = length === 0 ? 0 : size / length;
    out.add("[");
    for (let i = 0; i < length; i++) {
      if (i > 0) out.add(",");
      this.#write(from + i * inner, axis + 1, inner);
    }
    out.add("]");
  }
}

/** The one length of all axes 0; undefined where they differ: then the graph's own names of its axes are wrong. */
function rowsOf(outputs: readonly Tensor[]): number | undefined {
  const lengths = new Set(outputs.map(({ shape }) => shape[0]));
  return lengths.size === 1 ? [...lengths][0] : undefined;
}

function writeEntries(out: TextChunks, count: number, write: (entry: number) => void): void {
  for (let entry = 0; entry < count; entry++) {
    if (entry > 0) out.add(",");
    write(entry);
  }
}

function writeObject(writers: readonly EntryWriter[], out: TextChunks, write: (writer: EntryWriter) => void): void {
  for (const [index, writer] of writers.entries()) {
    out.add(`${index === 0 ? "{" : ","}${JSON.stringify(writer.name)}:`);
    write(writer);
  }
  out.add("}");
}

function classesOf(outputs: readonly Tensor[], form: AnswerForm): string {
  const named = outputs.flatMap(({ name, shape }) => {
    const labels = form.outputs.find((spec) => spec.name === name)?.labels ?? [];
    return labels.length > 0 && labels.length === shape.at(-1)
      ? [`${JSON.stringify(name)}:${JSON.stringify(labels)}`]
      : [];
  });
  return named.length === 0 ? "" : `,"classes":{${named.join(",")}}`;
}
