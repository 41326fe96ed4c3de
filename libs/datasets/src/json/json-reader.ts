import { ByteSource } from "../byte-source.ts";
import { PieceStream } from "../byte-stream.ts";
import { nameInFile } from "../column-choice.ts";
import type { ReaderContext } from "../format-reader.ts";
import { JsonLinesReader } from "../json-lines/json-lines-reader.ts";
import { JsonRows } from "./json-rows.ts";
import { JsonText } from "./json-text.ts";

/** JSON whose rows are not lines, by the rules of JSON Lines. */
export function jsonReader(context: ReaderContext): JsonLinesReader {
  const { limits, keepIndex, types, choice } = context;
  return new JsonLinesReader(context, (schema, signal) => {
    const kept = schema === undefined ? undefined : new Set(schema.columns.map(nameInFile));
    const keepsIndex = (name: string) => kept?.has(name) ?? (keepIndex || types.has(name) || choice.names(name));
    const source = new ByteSource({ ...context, encoding: (schema ?? context).encoding });
    const rows = new JsonRows(new JsonText(source, signal), { limits, keepsIndex });
    return { text: new PieceStream(rows.lines()), areLines: false, notes: () => rows.notes };
  });
}
