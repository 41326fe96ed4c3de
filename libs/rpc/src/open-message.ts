/** Flags and length, as gRPC, gRPC-Web and Connect write them before each message of a stream. */
const prefixBytes = 5;

/** Follows the messages of a stream by their prefixes: how many bytes have come of the one that is not whole yet. */
export class OpenMessage {
  readonly #prefix = Buffer.alloc(prefixBytes);
  #bytes = 0;
  #messageBytes = prefixBytes;

  get bytes(): number {
    return this.#bytes;
  }

  /** The next piece of the stream came. */
  add(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; ) {
      const taken = Math.min(this.#messageBytes - this.#bytes, piece.length - at);
      if (this.#bytes < prefixBytes) this.#prefix.set(piece.subarray(at, at + taken), this.#bytes);
      this.#bytes += taken;
      at += taken;
      if (this.#bytes < this.#messageBytes) return;
      const body = this.#messageBytes === prefixBytes ? this.#prefix.readUInt32BE(1) : 0;
      if (body > 0) this.#messageBytes += body;
      else {
        this.#bytes = 0;
        this.#messageBytes = prefixBytes;
      }
    }
  }
}
