const utf8 = new TextEncoder();

/** MurmurHash3_x86_32 (Austin Appleby, public domain) of a string's UTF-8 bytes, as ONNX Runtime's MurmurHash3 computes it: 0 to 2³² − 1. */
export function murmur3(text: string, seed = 0): number {
  const bytes = utf8.encode(text);
  const whole = bytes.length & ~3;
  let hash = seed | 0;
  for (let i = 0; i < whole; i += 4) {
    const word =
      byteAt(bytes, i) | (byteAt(bytes, i + 1) << 8) | (byteAt(bytes, i + 2) << 16) | (byteAt(bytes, i + 3) << 24);
    hash ^= scrambled(word);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = bytes.length - 1; i >= whole; i--) tail = (tail << 8) | byteAt(bytes, i);
  return finished(hash ^ scrambled(tail) ^ bytes.length);
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}

function scrambled(word: number): number {
  const product = Math.imul(word, 0xcc9e2d51);
  return Math.imul((product << 15) | (product >>> 17), 0x1b873593);
}

function finished(hash: number): number {
  const first = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  const second = Math.imul(first ^ (first >>> 13), 0xc2b2ae35);
  return (second ^ (second >>> 16)) >>> 0;
}
