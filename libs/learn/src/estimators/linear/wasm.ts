/**
 * The little of WebAssembly that the kernels of linear algebra are written in (core specification 2.0, section 5.4): its vector instructions take two
 * numbers at a time, which JavaScript's engine does not do by itself. Kernels add in an order of their own, so every machine gets the same bits.
 */
export const code = {
  loop: [0x03, 0x40],
  /** Goes back to the start of the loop if the value is not 0. */
  repeatIf: [0x0d, 0x00],
  end: [0x0b],
  get: (local: number) => [0x20, local],
  set: (local: number) => [0x21, local],
  constant: (value: number) => [0x41, ...signedNumber(value)],
  add: [0x6a],
  less: [0x49],
  /** Adds a constant to a local. */
  move: (local: number, by: number) => [0x20, local, 0x41, ...signedNumber(by), 0x6a, 0x21, local],
  zeroPair: [0xfd, 0x0c, ...new Array<number>(16).fill(0)],
  /** Two FP64 at the address and `offset` bytes. */
  loadPair: (offset = 0) => [0xfd, 0x00, 0x03, ...wholeNumber(offset)],
  /** One FP64, twice. */
  loadSplat: (offset = 0) => [0xfd, 0x0a, 0x03, ...wholeNumber(offset)],
  /** Two FP32 as two FP64. */
  loadPromoted: (offset = 0) => [0xfd, 0x5d, 0x02, ...wholeNumber(offset), 0xfd, 0x5f],
  storePair: (offset = 0) => [0xfd, 0x0b, 0x03, ...wholeNumber(offset)],
  loadNumber: (offset = 0) => [0x2b, 0x03, ...wholeNumber(offset)],
  storeNumber: (offset = 0) => [0x39, 0x03, ...wholeNumber(offset)],
  addPairs: [0xfd, 0xf0, 0x01],
  subtractPairs: [0xfd, 0xf1, 0x01],
  multiplyPairs: [0xfd, 0xf2, 0x01],
  /** The same half of two pairs as one pair. */
  zip: (lane: 0 | 1) => [
    0xfd,
    0x0d,
    ...[0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23].map((b) => b + 8 * lane),
  ],
  half: (lane: 0 | 1) => [0xfd, 0x21, lane],
  addNumbers: [0xa0],
} as const;

/** A function of whole numbers (addresses in bytes, counts) that returns nothing. */
export interface KernelCode {
  readonly parameters: number;
  /** Locals after the parameters: whole numbers, then pairs of FP64, all 0 at first. */
  readonly wholes: number;
  readonly pairs: number;
  readonly body: readonly number[];
}

export type Kernel = (...addresses: number[]) => void;

/** Makes kernels that share a memory of so many bytes, all 0. */
export function instantiate(bytes: number, kernels: readonly KernelCode[]): { memory: ArrayBuffer; run: Kernel[] } {
  const memory = new engine.Memory({ initial: Math.ceil(bytes / 65_536) });
  const { exports } = new engine.Instance(new engine.Module(moduleOf(kernels)), { m: { m: memory } });
  return { memory: memory.buffer, run: kernels.map((_, i) => exports[nameOf(i)] as Kernel) };
}

/** The part of the global WebAssembly that is used here; the types of Node.js leave its constructors out. */
const engine = (globalThis as unknown as { readonly WebAssembly: Engine }).WebAssembly;

interface Engine {
  readonly Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: Readonly<Record<string, Kernel>> };
}

const i32 = 0x7f;
const v128 = 0x7b;

function moduleOf(kernels: readonly KernelCode[]): Uint8Array<ArrayBuffer> {
  const list = (items: readonly (readonly number[])[]) => [...wholeNumber(items.length), ...items.flat()];
  const types = kernels.map(({ parameters }) => [0x60, parameters, ...Array<number>(parameters).fill(i32), 0]);
  const exports = kernels.map((_, i) => [1, nameOf(i).charCodeAt(0), 0x00, i]);
  const bodies = kernels.map(({ wholes, pairs, body }) => sized([2, wholes, i32, pairs, v128, ...body, ...code.end]));
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, list(types)),
    ...section(2, [1, 1, 0x6d, 1, 0x6d, 0x02, 0x00, 0x00]),
    ...section(3, list(kernels.map((_, i) => [i]))),
    ...section(7, list(exports)),
    ...section(10, list(bodies)),
  ]);
}

function nameOf(kernel: number): string {
  return String.fromCharCode(97 + kernel);
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...sized(content)];
}

function sized(content: readonly number[]): number[] {
  return [...wholeNumber(content.length), ...content];
}

/** LEB128 without a sign. */
function wholeNumber(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left > 127; left >>>= 7) bytes.push((left & 127) | 128);
  return [...bytes, left];
}

/** LEB128 with a sign, of a number that is not negative. */
function signedNumber(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left > 63; left >>>= 7) bytes.push((left & 127) | 128);
  return [...bytes, left];
}
