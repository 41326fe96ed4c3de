import { PieceStream } from "../byte-stream.ts";
import type { ReaderContext } from "../format-reader.ts";
import { JsonLinesReader } from "../json-lines/json-lines-reader.ts";
import { overLimit } from "../limits.ts";
import { linePieces } from "../line-pieces.ts";
import { indexLeftOut, pandasIndex } from "../row-name-columns.ts";
import { saidColumns } from "../said-columns.ts";
import { type ArrowField, type ArrowFile, openArrow, readable } from "./arrow-file.ts";
import { BatchParts, readMessage } from "./batch-reader.ts";
import { columnTexts, valueTexts } from "./column-texts.ts";
import { rowLines } from "./row-lines.ts";

/** What a text takes beside its letters. */
const textBytes = 24;

/** Feather 2, which is an Arrow IPC file, batch by batch and by the rules of JSON Lines. */
export function arrowReader(context: ReaderContext): JsonLinesReader {
  return new JsonLinesReader(context, (schema, signal) => {
    const rows = new ArrowRows(context, saidColumns(context, schema).keepsIndex, signal);
    return { text: new PieceStream(rows.lines()), areLines: false, notes: () => rows.notes };
  });
}

class ArrowRows {
  readonly #context: ReaderContext;
  readonly #keepsIndex: (name: string) => boolean;
  readonly #signal: AbortSignal | undefined;
  notes: readonly string[] = [];

  constructor(context: ReaderContext, keepsIndex: (name: string) => boolean, signal: AbortSignal | undefined) {
    this.#context = context;
    this.#keepsIndex = keepsIndex;
    this.#signal = signal;
  }

  async *lines(): AsyncGenerator<Buffer, void> {
    const { file, limits } = this.#context;
    const arrow = await openArrow(file, limits, this.#signal);
    const index = new Set(pandasIndex(arrow.metadata.get("pandas")).filter((name) => !this.#keepsIndex(name)));
    const left = arrow.fields.filter(({ name }) => index.has(name));
    this.notes = left.map(({ name }) => indexLeftOut(name));
    const dictionaries = await this.#dictionaries(arrow);
    let firstRow = 0;
    for (const block of arrow.batches) {
      const { header, body } = await readMessage(file, block, { kind: 3, limits, signal: this.#signal });
      const { rows, columns } = readable("a batch", () => {
        const parts = new BatchParts(header, body, limits);
        const columns = arrow.fields.map((field) => [field.name, columnTexts(field, parts, dictionaries)] as const);
        return { rows: parts.rows, columns: columns.filter(([name]) => !index.has(name)) };
      });
      yield* linePieces(rowLines(columns, { firstRow, rows, limits }));
      firstRow += rows;
    }
  }

  /** The values of every dictionary, by its id. All are held: their texts may be the same bytes of the file again and again. */
  async #dictionaries({ fields, dictionaries }: ArrowFile): Promise<ReadonlyMap<number, readonly string[]>> {
    const { file, limits } = this.#context;
    const found = new Map<number, string[]>();
    const fieldOf = new Map(
      withChildren(fields).flatMap((field) => (field.dictionary ? [[field.dictionary.id, field] as const] : [])),
    );
    let held = 0;
    const hold = (text: string) => {
      held += text.length + textBytes;
      if (held > limits.arrowBatchBytes)
        throw overLimit("arrowBatchBytes", limits, `The dictionaries have at least ${held.toLocaleString("en")} bytes`);
      return text;
    };
    for (const block of dictionaries) {
      const { header, body } = await readMessage(file, block, { kind: 2, limits, signal: this.#signal });
      readable("a dictionary", () => {
        const [id, batch] = [header.long(0), header.table(1)];
        const field = fieldOf.get(id);
        if (field === undefined || batch === undefined) return;
        const parts = new BatchParts(batch, body, limits);
        const texts = valueTexts({ ...field, dictionary: undefined }, parts);
        const values = header.byte(2) === 1 ? (found.get(id) ?? []) : [];
        for (let row = 0; row < parts.rows; row++) values.push(hold(texts(row)));
        found.set(id, values);
      });
    }
    return found;
  }
}

function withChildren(fields: readonly ArrowField[]): ArrowField[] {
  return fields.flatMap((field) => [field, ...withChildren(field.children)]);
}
