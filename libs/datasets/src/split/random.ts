import { mix } from "../hash.ts";

/** Random numbers in [0, 1) that depend on the seed alone (C. Doty-Humphrey's sfc32, public domain). */
export function randomNumbers(seed: number): () => number {
  let a = mix(seed ^ 0x9e3779b9);
  let b = mix(Math.floor(seed / 2 ** 32) ^ 0x243f6a88);
  let c = mix(seed ^ 0xb7e15162);
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  };
  for (let i = 0; i < 15; i++) next();
  return () => (next() * 2 ** 21 + (next() >>> 11)) / 2 ** 53;
}

/** The numbers 0 to count − 1 in random order (Fisher and Yates). */
export function shuffled(count: number, random: () => number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const value = order[last] as number;
    order[last] = order[other] as number;
    order[other] = value;
  }
  return order;
}
