import { zstdDecompressSync } from "node:zlib";
import { badFile } from "../cells/bad-cell.ts";
import type { DataFile } from "../data-file.ts";
import { type Limits, overLimit } from "../limits.ts";
import { type Block, readable } from "./arrow-file.ts";
import { FlatTable } from "./flat-table.ts";
import { lz4Frame } from "./lz4-frame.ts";

const remedy = "Write it in smaller batches: pyarrow.feather.write_feather(TABLE, FILE, chunksize=65536).";

/** A record batch in its file: hands out what its columns are made of, in their order. */
export class BatchParts {
  readonly rows: number;
  readonly limits: Limits;
  readonly #nodes: readonly number[][];
  readonly #buffers: readonly number[][];
  readonly #variadic: readonly number[][];
  readonly #codec: number | undefined;
  readonly #body: Uint8Array;
  #node = 0;
  #buffer = 0;
  #view = 0;
  #unpacked = 0;

  constructor(batch: FlatTable, body: Uint8Array, limits: Limits) {
    this.rows = batch.long(0);
    if (!(this.rows >= 0 && this.rows <= limits.parquetGroupRows))
      throw overLimit("parquetGroupRows", limits, `A batch has ${this.rows} rows`);
    this.#nodes = batch.structs(1, 2);
    this.#buffers = batch.structs(2, 2);
    this.#codec = batch.table(3)?.byte(0);
    this.#variadic = batch.structs(4, 1);
    this.#body = body;
    this.limits = limits;
  }

  /** Length of the next array. */
  node(): number {
    const [length] = this.#nodes[this.#node++] ?? [];
    if (length === undefined || length < 0 || length > this.limits.parquetGroupRows)
      throw new RangeError("no such array");
    return length;
  }

  /** How many buffers of texts the next view has. */
  views(): number {
    const [count] = this.#variadic[this.#view++] ?? [];
    if (count === undefined || count < 0 || count > this.#buffers.length) throw new RangeError("no such view");
    return count;
  }

  skip(buffers: number): void {
    this.#buffer += buffers;
  }

  /** The next buffer, unpacked; empty where it is left out. */
  buffer(): DataView {
    const [offset = -1, length = -1] = this.#buffers[this.#buffer++] ?? [];
    if (offset < 0 || length < 0 || offset + length > this.#body.byteLength)
      throw new RangeError("a buffer lies outside");
    const bytes = this.#unpack(this.#body.subarray(offset, offset + length));
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #unpack(packed: Uint8Array): Uint8Array {
    if (this.#codec === undefined || packed.byteLength === 0) return packed;
    const size = Number(new DataView(packed.buffer, packed.byteOffset, 8).getBigInt64(0, true));
    const rest = packed.subarray(8);
    if (size === -1) return rest;
    this.#unpacked += size;
    if (size < 0 || this.#unpacked > this.limits.arrowBatchBytes) throw tooLarge(this.#unpacked, this.limits);
    const bytes =
      this.#codec === 0 ? lz4Frame(rest, size) : zstdDecompressSync(rest, { maxOutputLength: Math.max(1, size) });
    if (bytes.byteLength !== size) throw new RangeError("a buffer unpacks to another size");
    return bytes;
  }
}

/** Reads a message and its body. `kind`: 2 for a dictionary, 3 for a batch. */
export async function readMessage(
  file: DataFile,
  { offset, metadataBytes, bodyBytes }: Block,
  { kind, limits, signal }: { kind: 2 | 3; limits: Limits; signal: AbortSignal | undefined },
): Promise<{ readonly header: FlatTable; readonly body: Uint8Array }> {
  if (bodyBytes > limits.arrowBatchBytes) throw tooLarge(bodyBytes, limits);
  if (metadataBytes > limits.parquetFooterBytes)
    throw overLimit("parquetFooterBytes", limits, `A batch is described in ${metadataBytes} bytes`);
  const metadata = await file.read(offset, metadataBytes, signal);
  const header = readable("a batch", () => {
    const isPrefixed = new DataView(metadata.buffer, metadata.byteOffset).getUint32(0, true) === 0xffffffff;
    const message = FlatTable.root(metadata.subarray(isPrefixed ? 8 : 4));
    const table = message.table(2);
    if (message.byte(1) !== kind || table === undefined) throw new RangeError("another kind of message");
    return table;
  });
  return { header, body: await file.read(offset + metadataBytes, bodyBytes, signal) };
}

function tooLarge(size: number, limits: Limits): Error {
  if (size < 0) return badFile("The Arrow file is damaged: a buffer has a negative size.", remedy);
  return overLimit(
    "arrowBatchBytes",
    limits,
    `A batch of the file has at least ${size.toLocaleString("en")} bytes`,
    remedy,
  );
}
