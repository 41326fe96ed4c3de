import { TextDecoder } from "node:util";
import { badFile } from "./cells/bad-cell.ts";
import type { DataFile } from "./data-file.ts";
import { quote } from "./schema.ts";

/** The bytes of a text file from front to back, as UTF-8 whatever its encoding. */
export class ByteSource {
  readonly #file: DataFile;
  readonly #encoding: string | undefined;
  #decoder: TextDecoder | undefined;
  #offset = 0;

  /** `encoding`: a label of the WHATWG Encoding Standard; UTF-8, or what the byte order mark says, when undefined. */
  constructor(file: DataFile, encoding: string | undefined) {
    this.#file = file;
    this.#encoding = encoding;
  }

  /** Whether all was read. */
  get ended(): boolean {
    return this.#offset >= this.#file.sizeBytes;
  }

  /** What follows: of UTF-8 `length` bytes, fewer only at the end; otherwise about as many. */
  async read(length: number, signal: AbortSignal | undefined): Promise<Buffer> {
    const { buffer, byteOffset, byteLength } = await this.#file.read(this.#offset, length, signal);
    const bytes = Buffer.from(buffer, byteOffset, byteLength);
    if (this.#offset === 0) this.#decoder = decoderOf(this.#encoding ?? markedEncoding(bytes));
    this.#offset += byteLength;
    return this.#decoder === undefined ? bytes : this.#decode(this.#decoder, bytes);
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
