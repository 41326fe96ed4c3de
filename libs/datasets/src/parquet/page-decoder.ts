import type { CompressionCodec, Encoding, PageHeader } from "hyparquet";
import type { Limits } from "../limits.ts";
import { decompress } from "./codecs.ts";
import { BadValue, type Converted } from "./conversion.ts";
import { ByteCursor, decodeHybrid } from "./encodings.ts";
import { type Page, valuesOf } from "./page-source.ts";
import type { ParquetColumn } from "./parquet-file.ts";
import { decodeRaw, type RawValues, takeRaw } from "./raw-values.ts";
import type { ListLevels } from "./top-columns.ts";

/** The values of one data page: `values` has those that are there, `present` says which rows have one; all when undefined. */
export interface DecodedPage {
  readonly rows: number;
  readonly present: Uint32Array | undefined;
  readonly values: Converted;
  /** Of lists: for every element, or list without one, the levels that say where a row begins and what is null; `present` is of them. */
  readonly levels?: PageLevels | undefined;
}

export interface PageLevels {
  /** 0 where a row begins. */
  readonly repetition: Uint32Array;
  readonly definition: Uint32Array;
}

/** Where a page's values stand and how many there are. */
interface Body {
  readonly cursor: ByteCursor;
  readonly rows: number;
  readonly present: Uint32Array | undefined;
  readonly count: number;
  readonly encoding: Encoding | undefined;
  readonly levels?: PageLevels;
}

/** Decodes the pages of one column chunk in their order; keeps its dictionary. */
export class PageDecoder {
  readonly #column: ParquetColumn;
  readonly #codec: CompressionCodec;
  readonly #limits: Limits;
  readonly #convert: (raw: RawValues) => Converted;
  #dictionary: Converted | undefined;
  /** A dictionary of which some value cannot be taken over: only the row that uses it is to blame. */
  #rawDictionary: RawValues | undefined;

  constructor(column: ParquetColumn, codec: CompressionCodec, limits: Limits, convert: (raw: RawValues) => Converted) {
    this.#column = column;
    this.#codec = codec;
    this.#limits = limits;
    this.#convert = convert;
  }

  /** The rows of a data page; undefined for a dictionary or an index. `onBody` is told which rows have values before values are converted. */
  decode({ header, packed }: Page, onBody: (present: Uint32Array | undefined) => void): DecodedPage | undefined {
    if (header.type === "DICTIONARY_PAGE") {
      this.#readDictionary(header, packed);
      return undefined;
    }
    if (header.type === "INDEX_PAGE") return undefined;
    const body = header.data_page_header_v2 === undefined ? this.#bodyV1(header, packed) : this.#bodyV2(header, packed);
    onBody(body.present);
    return { rows: body.rows, present: body.present, values: this.#values(body), levels: body.levels };
  }

  #readDictionary(header: PageHeader, packed: Uint8Array): void {
    const bytes = decompress(this.#codec, packed, header.uncompressed_page_size);
    const raw = this.#raw(new ByteCursor(bytes), "PLAIN", valuesOf(header));
    this.#rawDictionary = undefined;
    try {
      this.#dictionary = this.#convert(raw);
    } catch (error) {
      if (!(error instanceof BadValue)) throw error;
      this.#rawDictionary = raw;
    }
  }

  #bodyV1(header: PageHeader, packed: Uint8Array): Body {
    const v1 = header.data_page_header;
    if (v1 === undefined) throw new Error("a page is of no known type");
    const rows = v1.num_values;
    const cursor = new ByteCursor(decompress(this.#codec, packed, header.uncompressed_page_size));
    if (this.#column.levels !== undefined) {
      const repetition = decodeHybrid(sized(cursor), 1, rows);
      const definition = decodeHybrid(sized(cursor), widthOf(this.#column.levels.present), rows);
      return { cursor, encoding: v1.encoding, ...listBody({ repetition, definition }, this.#column.levels) };
    }
    if (!this.#column.optional) return { cursor, rows, present: undefined, count: rows, encoding: v1.encoding };
    if (v1.definition_level_encoding !== "RLE") throw new Error("its levels are bit-packed in a way given up in 2013");
    const present = decodeHybrid(sized(cursor), 1, rows);
    return { cursor, rows, present, count: countOf(present), encoding: v1.encoding };
  }

  #bodyV2(header: PageHeader, packed: Uint8Array): Body {
    const v2 = header.data_page_header_v2;
    if (v2 === undefined) throw new Error("a page has no header");
    const repetition = v2.repetition_levels_byte_length;
    const levels = repetition + v2.definition_levels_byte_length;
    if (!(repetition >= 0 && levels >= repetition && levels <= packed.byteLength))
      throw new Error("levels run over the end");
    const rows = v2.num_values;
    const size = header.uncompressed_page_size - levels;
    if (size < 0) throw new Error("a page is smaller than its levels");
    const codec = v2.is_compressed === false ? "UNCOMPRESSED" : this.#codec;
    const cursor = new ByteCursor(decompress(codec, packed.subarray(levels), size));
    if (this.#column.levels !== undefined) {
      const starts = decodeHybrid(new ByteCursor(packed, 0, repetition), 1, rows);
      const width = widthOf(this.#column.levels.present);
      const definition = decodeHybrid(new ByteCursor(packed, repetition, levels), width, rows);
      const found = { repetition: starts, definition };
      return { cursor, encoding: v2.encoding, ...listBody(found, this.#column.levels) };
    }
    if (!this.#column.optional) return { cursor, rows, present: undefined, count: rows, encoding: v2.encoding };
    const present = decodeHybrid(new ByteCursor(packed, repetition, levels), 1, rows);
    return { cursor, rows, present, count: countOf(present), encoding: v2.encoding };
  }

  #values({ cursor, count, encoding }: Body): Converted {
    if (encoding !== "PLAIN_DICTIONARY" && encoding !== "RLE_DICTIONARY") {
      return this.#convert(this.#raw(cursor, encoding, count));
    }
    const dictionary = this.#dictionary;
    const raw = this.#rawDictionary;
    if (raw !== undefined) {
      const width = count === 0 ? 0 : (cursor.bytes[cursor.skip(1)] as number);
      return this.#convert(takeRaw(raw, count === 0 ? new Uint32Array(0) : decodeHybrid(cursor, width, count)));
    }
    if (dictionary === undefined) throw new Error("a page needs a dictionary, and there is none");
    if (count === 0) return take(dictionary, new Uint32Array(0));
    const width = cursor.bytes[cursor.skip(1)] as number;
    return take(dictionary, decodeHybrid(cursor, width, count));
  }

  #raw(cursor: ByteCursor, encoding: Encoding | undefined, count: number): RawValues {
    const { element } = this.#column;
    if (element.type === undefined) throw new Error("a column has no type");
    const budget = this.#limits.parquetPageBytes;
    return decodeRaw(cursor, { type: element.type, fixedLength: element.type_length, encoding, count, budget });
  }
}

/** A section that begins with its length. */
function sized(cursor: ByteCursor): ByteCursor {
  const start = cursor.skip(cursor.uint32());
  return new ByteCursor(cursor.bytes, start, cursor.at);
}

function widthOf(level: number): number {
  return 32 - Math.clz32(level);
}

function listBody(
  levels: PageLevels,
  { present: highest }: ListLevels,
): Pick<Body, "rows" | "present" | "count" | "levels"> {
  let rows = 0;
  for (const level of levels.repetition) if (level === 0) rows++;
  const present = levels.definition.map((level) => Number(level === highest));
  return { rows, present, count: countOf(present), levels };
}

function countOf(present: Uint32Array): number {
  let count = 0;
  for (const one of present) count += one;
  return count;
}

function take(dictionary: Converted, indices: Uint32Array): Converted {
  const { length } = dictionary.values;
  for (const index of indices) {
    if (index >= length) throw new Error(`value ${index} of a dictionary of ${length}`);
  }
  if (dictionary.type === "string") {
    return { type: "string", values: Array.from(indices, (index) => dictionary.values[index] as string) };
  }
  if (dictionary.type === "number") {
    return { type: "number", values: Float64Array.from(indices, (index) => dictionary.values[index] as number) };
  }
  return { type: "boolean", values: Uint8Array.from(indices, (index) => dictionary.values[index] as number) };
}
