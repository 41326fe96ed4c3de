import { createHash } from "node:crypto";
import { uint64Bytes } from "@aimass/identity";

/** What the first entry follows. */
export const genesisHash: Uint8Array = new Uint8Array(32);

/** The links of the chain. */
export interface ChainedEntry {
  readonly sequence: bigint;
  readonly payload: Uint8Array;
  readonly previousHash: Uint8Array;
  readonly hash: Uint8Array;
}

/** SHA-256(previous_hash ‖ sequence as 8 bytes big-endian ‖ payload). */
export function entryHash(previousHash: Uint8Array, sequence: bigint, payload: Uint8Array): Uint8Array {
  return new Uint8Array(
    createHash("sha256").update(previousHash).update(uint64Bytes(sequence)).update(payload).digest(),
  );
}

/** What a head's signature covers: sequence as 8 bytes ‖ hash ‖ signed_at in milliseconds as 8 bytes, big-endian. */
export function headBytes(head: { sequence: bigint; hash: Uint8Array; signedAtMs: number }): Uint8Array {
  return Buffer.concat([uint64Bytes(head.sequence), head.hash, uint64Bytes(head.signedAtMs)]);
}

/** Follows the chain entry by entry and tells the first that does not fit. */
export class ChainChecker {
  #sequence = 0n;
  #hash = genesisHash;

  /** How far the chain holds. */
  get sequence(): bigint {
    return this.#sequence;
  }

  get hash(): Uint8Array {
    return this.#hash;
  }

  /** Undefined when the entry follows; else a sentence that says why it does not. */
  check(entry: ChainedEntry): string | undefined {
    const expected = this.#sequence + 1n;
    if (entry.sequence !== expected) return `Entry ${expected} is missing; entry ${entry.sequence} comes next.`;
    if (Buffer.compare(entry.previousHash, this.#hash) !== 0)
      return `Entry ${entry.sequence} does not follow the entry before it.`;
    const hash = entryHash(this.#hash, entry.sequence, entry.payload);
    if (Buffer.compare(hash, entry.hash) !== 0) return `Entry ${entry.sequence} was altered: its hash does not fit.`;
    this.#sequence = entry.sequence;
    this.#hash = hash;
    return undefined;
  }
}
