/**
 * Seeded random numbers: the generator sfc32 (C. Doty-Humphrey, PractRand). The same seed gives the same numbers on every machine; not for secrets.
 */
export class Random {
  readonly #seed: number;
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 1;
  #spare: number | undefined;

  /** `seed` is any number; its 53 integer bits count. */
  constructor(seed: number) {
    this.#seed = mix(seed >>> 0, Math.floor(Math.abs(seed) / 0x1_0000_0000) >>> 0);
    this.#a = this.#seed;
    this.#b = mix(this.#seed, 1);
    this.#c = mix(this.#seed, 2);
    for (let i = 0; i < 12; i++) this.uint32();
  }

  /** Numbers of their own for a part of the work. They depend on the seed and `stream` alone, not on what was drawn before. */
  fork(stream: number): Random {
    return new Random(mix(this.#seed, (stream + 0x51ed) >>> 0) * 0x20_0000 + (stream & 0xfffff));
  }

  /** A whole number, 0 to 2³² − 1. */
  uint32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + t) | 0;
    return t >>> 0;
  }

  /** Evenly from [0, 1), 53 bits. */
  next(): number {
    return ((this.uint32() >>> 5) * 0x400_0000 + (this.uint32() >>> 6)) / 0x20_0000_0000_0000;
  }

  /** A whole number from 0 to `limit` − 1. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** From the normal distribution of mean 0 and deviation 1 (Marsaglia's polar method). */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    for (;;) {
      const u = 2 * this.next() - 1;
      const v = 2 * this.next() - 1;
      const s = u * u + v * v;
      if (s === 0 || s >= 1) continue;
      const factor = Math.sqrt((-2 * Math.log(s)) / s);
      this.#spare = v * factor;
      return u * factor;
    }
  }

  /** Puts the elements into a random order, in place. */
  shuffle(array: Int32Array | Uint32Array | Float32Array | Float64Array): void {
    for (let i = array.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const held = array[i]!;
      array[i] = array[j]!;
      array[j] = held;
    }
  }
}

/** Two words into one (the finaliser of MurmurHash3). */
function mix(a: number, b: number): number {
  let h = (a ^ Math.imul(b + 0x9e37_79b9, 0x85eb_ca6b)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
