/** Characters that become bytes at a time. */
const chunkCharacters = 64 * 1024;

/** A text of any length as it is made, piece by piece, kept as UTF-8: JavaScript's strings end at half a gigabyte. */
export class TextChunks {
  readonly #chunks: Buffer[] = [];
  #pending: string[] = [];
  #characters = 0;

  add(text: string): void {
    this.#pending.push(text);
    this.#characters += text.length;
    if (this.#characters >= chunkCharacters) this.#flush();
  }

  finish(): Buffer {
    this.#flush();
    const [only] = this.#chunks;
    return this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks);
  }

  #flush(): void {
    this.#chunks.push(Buffer.from(this.#pending.join("")));
    this.#pending = [];
    this.#characters = 0;
  }
}
