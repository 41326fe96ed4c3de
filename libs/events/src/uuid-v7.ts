import { randomFillSync } from "node:crypto";

const millisecondMask = 2 ** 48;
const counterLimit = 2 ** 12;

/** Makes UUIDs of version 7 (RFC 9562, section 5.7): they sort by time, and within a millisecond by the order in which this maker made them. */
export class UuidV7Maker {
  readonly #now: () => number;
  #last = -1;
  #counter = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  next(): string {
    this.#tick();
    const bytes = Buffer.alloc(16);
    bytes.writeUIntBE(this.#last % millisecondMask, 0, 6);
    randomFillSync(bytes, 8);
    bytes.writeUInt16BE(0x7000 | this.#counter, 6);
    bytes[8] = 0x80 | ((bytes[8] as number) & 0x3f);
    const hex = bytes.toString("hex");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  /** A clock that stands or goes back is overtaken by counting on. */
  #tick(): void {
    const now = Math.trunc(this.#now());
    if (now > this.#last) {
      this.#last = now;
      this.#counter = 0;
    } else if (++this.#counter === counterLimit) {
      this.#last += 1;
      this.#counter = 0;
    }
  }
}
