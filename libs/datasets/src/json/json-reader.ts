import { ByteSource } from "../byte-source.ts";
import { PieceStream } from "../byte-stream.ts";
import type { ReaderContext } from "../format-reader.ts";
import { JsonLinesReader } from "../json-lines/json-lines-reader.ts";
import { saidColumns } from "../said-columns.ts";
import { JsonRows } from "./json-rows.ts";
import { JsonText } from "./json-text.ts";

/** JSON whose rows are not lines, by the rules of JSON Lines. */
export function jsonReader(context: ReaderContext): JsonLinesReader {
  const { limits } = context;
  return new JsonLinesReader(context, (schema, signal) => {
    const source = new ByteSource({ ...context, encoding: (schema ?? context).encoding });
    const rows = new JsonRows(new JsonText(source, signal), { limits, ...saidColumns(context, schema) });
    return { text: new PieceStream(rows.lines()), areLines: false, notes: () => rows.notes };
  });
}
