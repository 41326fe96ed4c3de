import { createHash } from "node:crypto";

/**
 * Numbers in [0, 1) that depend on the seed alone: sfc32 (Chris Doty-Humphrey's Small Fast Chaotic generator, PractRand), its state taken from the SHA-256 of
 * `purpose` and seed.
 */
export function seededRandom(purpose: string, seed: bigint): () => number {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, seed));
  const digest = createHash("sha256").update(purpose).update(bytes).digest();
  let a = digest.readInt32BE(0);
  let b = digest.readInt32BE(4);
  let c = digest.readInt32BE(8);
  let counter = digest.readInt32BE(12);
  return () => {
    const result = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + result;
    c |= 0;
    return (result >>> 0) / 2 ** 32;
  };
}
