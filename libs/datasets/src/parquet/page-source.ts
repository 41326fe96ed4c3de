import type { PageHeader } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import type { DataFile } from "../data-file.ts";
import { type Limits, overLimit } from "../limits.ts";
import type { ColumnChunk } from "./parquet-file.ts";

const usualHeader = 4096;
const longestHeader = 4 * 1024 * 1024;

/** A page as it lies in the file. */
export interface Page {
  readonly header: PageHeader;
  readonly packed: Uint8Array;
}

/** The pages of a column chunk, one after the other; sizes and counts are checked before anything is read or unpacked. */
export async function* pagesOf(
  file: DataFile,
  chunk: ColumnChunk,
  limits: Limits,
  signal: AbortSignal | undefined,
): AsyncGenerator<Page> {
  let at = chunk.start;
  while (at < chunk.end) {
    const { header, length, bytes } = await headerAt(file, at, chunk.end, signal);
    const packedSize = header.compressed_page_size;
    at += length + packedSize;
    if (!(packedSize >= 0) || at > chunk.end) throw new Error("a page runs over the end of its column");
    checkPage(header, limits);
    const known = bytes.subarray(length, length + packedSize);
    const packed = known.length === packedSize ? known : await file.read(at - packedSize, packedSize, signal);
    yield { header, packed };
  }
}

/** How many values a page says it has, nulls included. */
export function valuesOf(header: PageHeader): number {
  const { data_page_header: v1, data_page_header_v2: v2, dictionary_page_header: dictionary } = header;
  return v1?.num_values ?? v2?.num_values ?? dictionary?.num_values ?? 0;
}

async function headerAt(file: DataFile, at: number, end: number, signal: AbortSignal | undefined) {
  for (let size = usualHeader; ; size *= 16) {
    const bytes = await file.read(at, Math.min(size, end - at), signal);
    const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
    try {
      return { header: parquetHeader(reader), length: reader.offset, bytes };
    } catch (cause) {
      if (bytes.byteLength < size || size >= longestHeader) throw new Error("a page header cannot be read", { cause });
    }
  }
}

function checkPage(header: PageHeader, limits: Limits): void {
  const size = header.uncompressed_page_size;
  const values = valuesOf(header);
  if (!(size >= 0) || !(values >= 0)) throw new Error("a page has a negative size");
  if (size > limits.parquetPageBytes) {
    throw overLimit("parquetPageBytes", limits, `A page unpacks to ${size.toLocaleString("en")} bytes`);
  }
  if (values > limits.parquetPageValues) {
    throw overLimit("parquetPageValues", limits, `A page has ${values.toLocaleString("en")} values`);
  }
  if (header.compressed_page_size > 2 * limits.parquetPageBytes) {
    throw overLimit(
      "parquetPageBytes",
      limits,
      `A page has ${header.compressed_page_size.toLocaleString("en")} packed bytes`,
    );
  }
}
