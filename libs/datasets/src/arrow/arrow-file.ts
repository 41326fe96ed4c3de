import { AimassError } from "@aimass/core";
import { badFile } from "../cells/bad-cell.ts";
import { OffCalendar } from "../cells/iso-text.ts";
import type { DataFile } from "../data-file.ts";
import { type Limits, overLimit } from "../limits.ts";
import { refusePacked } from "../seeking-format.ts";
import { damaged, writeAnew } from "./damaged.ts";
import { FlatTable } from "./flat-table.ts";

export interface ArrowField {
  readonly name: string;
  /** Of Arrow's union `Type`, and its facts. */
  readonly kind: number;
  readonly type: FlatTable | undefined;
  readonly children: readonly ArrowField[];
  /** Which dictionary its values are in, and the type of the indices. */
  readonly dictionary: { readonly id: number; readonly index: FlatTable | undefined } | undefined;
}

/** A message of the file: where its parts stand. */
export interface Block {
  readonly offset: number;
  readonly metadataBytes: number;
  readonly bodyBytes: number;
}

export interface ArrowFile {
  readonly fields: readonly ArrowField[];
  readonly dictionaries: readonly Block[];
  readonly batches: readonly Block[];
  /** What programs keep beside the schema, by key. */
  readonly metadata: ReadonlyMap<string, string>;
}

const tail = 10;
const deepest = 32;
/** Fields within others, such as those of lists and structs, over the columns that there may be. */
const mostNested = 8;
const magic = "ARROW1";

/** Reads the footer of an Arrow IPC file, which is what Feather 2 is. Errors: INVALID_ARGUMENT. */
export async function openArrow(file: DataFile, limits: Limits, signal: AbortSignal | undefined): Promise<ArrowFile> {
  await refusePacked(file, "arrow", signal);
  if (file.sizeBytes < 8 + tail) throw badFile("The Arrow file is cut off.", writeAnew);
  const end = Buffer.from(await file.read(file.sizeBytes - tail, tail, signal));
  if (end.toString("latin1", 4) !== magic) throw badFile("The Arrow file is cut off: it has no footer.", writeAnew);
  const size = end.readInt32LE(0);
  if (size <= 0 || size > file.sizeBytes - tail - 8) throw damaged("its footer lies outside");
  if (size > limits.parquetFooterBytes) throw overLimit("parquetFooterBytes", limits, `The footer has ${size} bytes`);
  const footer = await file.read(file.sizeBytes - tail - size, size, signal);
  return readable("its footer", () => {
    const root = FlatTable.root(footer);
    const schema = root.table(1);
    if (schema === undefined) throw damaged("it has no schema");
    if (schema.short(0) !== 0) throw badFile("The Arrow file is big-endian, which is not read.", writeAnew);
    const fields = schema.tables(1);
    if (fields.length > limits.columns) throw overLimit("columns", limits, `The file has ${fields.length} columns`);
    const blocks = (id: number) =>
      root.structs(id, 3).map(([offset = 0, metadata = 0, bodyBytes = 0]) => {
        const block = { offset, metadataBytes: metadata % 2 ** 32, bodyBytes };
        const isInside =
          offset >= 8 &&
          block.metadataBytes > 8 &&
          bodyBytes >= 0 &&
          offset + block.metadataBytes + bodyBytes <= file.sizeBytes;
        if (!isInside) throw damaged("a batch lies outside");
        return block;
      });
    const [dictionaries, batches] = [blocks(2), blocks(3)];
    const described = [...dictionaries, ...batches].reduce((sum, one) => sum + one.metadataBytes + one.bodyBytes, 0);
    if (described > file.sizeBytes) throw damaged("its batches overlap");
    let count = 0;
    const counted = () => {
      if (++count > mostNested * limits.columns)
        throw overLimit("columns", limits, `The file has at least ${count} fields within columns`);
    };
    return {
      fields: fields.map((field) => fieldOf(field, deepest, counted)),
      dictionaries,
      batches,
      metadata: new Map(schema.tables(2).map((pair) => [pair.text(0), pair.text(1)])),
    };
  });
}

/** Lets refusals pass; makes a refusal of what a damaged file leads to. */
export function readable<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof AimassError) throw error;
    if (error instanceof OffCalendar) throw badFile(`In ${what} of the Arrow file, ${error.message}.`, error.remedy);
    throw damaged(`${what} cannot be read`, error);
  }
}

/** `counted` is told of each field before it is made. */
function fieldOf(field: FlatTable, depth: number, counted: () => void): ArrowField {
  counted();
  if (depth === 0) throw badFile("The Arrow file nests columns too deep.", writeAnew);
  const dictionary = field.table(4);
  return {
    name: field.text(0),
    kind: field.byte(2),
    type: field.table(3),
    children: field.tables(5).map((child) => fieldOf(child, depth - 1, counted)),
    dictionary: dictionary && { id: dictionary.long(0), index: dictionary.table(1) },
  };
}
