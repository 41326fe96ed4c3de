const words = new Uint32Array(2);
const doubles = new Float64Array(words.buffer);

/** Spreads every bit of a 32-bit word over the whole word (MurmurHash3's finaliser, A. Appleby, public domain). */
export function mix(word: number): number {
  let h = word | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A 32-bit hash of a string. */
export function hashText(text: string, seed: number): number {
  let h = seed | 0;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193) ^ (h >>> 15);
  return mix(h ^ text.length);
}

/** A 32-bit hash of a number; 0 and −0 alike. */
export function hashNumber(value: number, seed: number): number {
  doubles[0] = value === 0 ? 0 : value;
  return mix(Math.imul(mix((words[0] as number) ^ seed), 0x9e3779b1) ^ (words[1] as number));
}
