import type { ByteStream } from "../byte-stream.ts";
import type { DatasetSchema } from "../schema.ts";

/** The rows of a file as JSON Lines. */
export interface RowText {
  readonly text: ByteStream;
  /** Whether they are the lines of the file itself. */
  readonly areLines: boolean;
  /** What a person should know of the file, once it was read. */
  readonly notes: () => readonly string[];
}

/** Begins to read the rows of a file. `schema`: how it is read; undefined when that is to be found out. */
export type OpenRows = (schema: DatasetSchema | undefined, signal: AbortSignal | undefined) => RowText;
