import { TextDecoder } from "node:util";
import { type ByteStream, FileStream, PieceStream } from "./byte-stream.ts";
import { badFile } from "./cells/bad-cell.ts";
import type { DataFile } from "./data-file.ts";
import type { Limits } from "./limits.ts";
import { quote } from "./schema.ts";
import { refuseSeeking } from "./seeking-format.ts";
import { type Packing, packingOf, unpack } from "./unpack.ts";

export interface TextFile {
  readonly file: DataFile;
  /** A label of the WHATWG Encoding Standard; UTF-8, or what the byte order mark says, when undefined. */
  readonly encoding: string | undefined;
  readonly limits: Limits;
}

/** The bytes of a text file from front to back, unpacked where it is compressed, as UTF-8 whatever its encoding. */
export class ByteSource implements ByteStream {
  readonly #text: TextFile;
  #bytes: ByteStream | undefined;
  #packing: Packing | undefined;
  #decoder: TextDecoder | undefined;
  #offset = 0;

  constructor(text: TextFile) {
    this.#text = text;
  }

  get ended(): boolean {
    return this.#bytes?.ended ?? this.#text.file.sizeBytes === 0;
  }

  async read(length: number, signal: AbortSignal | undefined): Promise<Buffer> {
    this.#bytes ??= await this.#open(signal);
    const bytes = await this.#bytes.read(length, signal);
    if (this.#offset === 0 && this.#packing !== undefined) refuseSeeking(bytes, this.#packing);
    if (this.#offset === 0) this.#decoder = decoderOf(this.#text.encoding ?? markedEncoding(bytes));
    this.#offset += bytes.length;
    return this.#decoder === undefined ? bytes : this.#decode(this.#decoder, bytes);
  }

  close(): void {
    this.#bytes?.close();
  }

  async #open(signal: AbortSignal | undefined): Promise<ByteStream> {
    const { file, limits } = this.#text;
    this.#packing = packingOf(await file.read(0, 4, signal));
    if (this.#packing === undefined) return new FileStream(file);
    return new PieceStream(unpack(file, this.#packing, limits, signal));
  }

  #decode(decoder: TextDecoder, bytes: Buffer): Buffer {
    try {
      return Buffer.from(decoder.decode(bytes, { stream: !this.ended }));
    } catch (cause) {
      const problem = `The file is not ${decoder.encoding}: about byte ${this.#offset - bytes.length} stands what is no character.`;
      throw badFile(problem, "Name its encoding: --encoding windows-1252 (in the API: read.encoding).", cause);
    }
  }
}

/** The encoding that a byte order mark names; undefined for UTF-8 and without one. */
export function markedEncoding([first, second]: Uint8Array): string | undefined {
  if (first === 0xff && second === 0xfe) return "utf-16le";
  return first === 0xfe && second === 0xff ? "utf-16be" : undefined;
}

/** Whether an encoding can be read. */
export function isEncoding(label: string): boolean {
  try {
    return new TextDecoder(label).encoding !== "";
  } catch {
    return false;
  }
}

/** Undefined for UTF-8, which is checked where it is read, to say in which cell it is broken. */
function decoderOf(encoding: string | undefined): TextDecoder | undefined {
  if (encoding === undefined) return undefined;
  if (!isEncoding(encoding)) {
    throw badFile(
      `There is no encoding ${quote(encoding)}.`,
      "Name one such as windows-1252, utf-16le, gbk or shift_jis.",
    );
  }
  const decoder = new TextDecoder(encoding, { fatal: true });
  return decoder.encoding === "utf-8" ? undefined : decoder;
}
