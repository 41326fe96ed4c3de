/**
 * Eight sums of products of columns, two columns against four, as a WebAssembly function written out below: its vector instructions take two rows at a
 * time, which JavaScript's engine does not do by itself (twice as fast). Sums of even and odd rows are added at the end, always in that order, so that
 * every machine gets the same bits.
 */
export class ColumnProducts {
  /** Columns of `rows` numbers each, one after the other. */
  readonly columns: Float64Array;
  /** What `multiply` found: a·c, b·c, a·d, b·d, a·e, b·e, a·f, b·f. */
  readonly sums: Float64Array;
  readonly #bytes: number;
  readonly #multiply: Multiply;

  /** `rows` is even. */
  constructor(columns: number, rows: number) {
    const bytes = 64 + 8 * columns * rows;
    const memory = new engine.Memory({ initial: Math.ceil(bytes / 65_536) });
    const instance = new engine.Instance(new engine.Module(moduleBytes()), { m: { m: memory } });
    this.#multiply = instance.exports.f;
    this.#bytes = 8 * rows;
    this.sums = new Float64Array(memory.buffer, 0, 8);
    this.columns = new Float64Array(memory.buffer, 64, columns * rows);
  }

  /** Positions of columns a and b against those of c, d, e and f. */
  multiply(a: number, b: number, c: number, d: number, e: number, f: number): void {
    const n = this.#bytes;
    this.#multiply(64 + a * n, 64 + b * n, 64 + c * n, 64 + d * n, 64 + e * n, 64 + f * n, n);
  }
}

type Multiply = (a: number, b: number, c: number, d: number, e: number, f: number, bytes: number) => void;

/** The part of the global WebAssembly that is used here; the types of Node.js leave its constructors out. */
const engine = (globalThis as unknown as { readonly WebAssembly: Engine }).WebAssembly;

interface Engine {
  readonly Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: { readonly f: Multiply } };
}

/** Instructions by their codes (WebAssembly core specification 2.0, section 5.4). */
const code = {
  loop: [0x03, 0x40],
  repeatIf: [0x0d, 0x00],
  end: [0x0b],
  get: (local: number) => [0x20, local],
  set: (local: number) => [0x21, local],
  constant: (value: number) => [0x41, value],
  add: [0x6a],
  less: [0x49],
  loadPair: [0xfd, 0x00, 0x03, 0x00],
  addPairs: [0xfd, 0xf0, 0x01],
  multiplyPairs: [0xfd, 0xf2, 0x01],
  half: (lane: 0 | 1) => [0xfd, 0x21, lane],
  addNumbers: [0xa0],
  store: (offset: number) => [0x39, 0x03, offset],
} as const;

/** Types by their codes. */
const i32 = 0x7f;
const v128 = 0x7b;

/** Locals: columns a to f and the bytes of one are parameters 0 to 6; then the byte gone to, eight sums, and pairs of rows of a, b and another column. */
const bytesLocal = 6;
const atLocal = 7;
const firstSum = 8;
const [pairA, pairB, pairOther] = [16, 17, 18] as const;

function moduleBytes(): Uint8Array<ArrayBuffer> {
  const parameters = Array.from({ length: 7 }, () => i32);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [1, 0x60, parameters.length, ...parameters, 0]),
    ...section(2, [1, 1, 0x6d, 1, 0x6d, 0x02, 0x00, 0x00]),
    ...section(3, [1, 0]),
    ...section(7, [1, 1, 0x66, 0x00, 0]),
    ...section(10, [1, ...sized([2, 1, i32, 11, v128, ...body()])]),
  ]);
}

function body(): number[] {
  const load = (column: number) => [...code.get(column), ...code.get(atLocal), ...code.add, ...code.loadPair];
  const addProduct = (sum: number, pair: number) => [
    ...[...code.get(sum), ...code.get(pair), ...code.get(pairOther)],
    ...[...code.multiplyPairs, ...code.addPairs, ...code.set(sum)],
  ];
  const others = [0, 1, 2, 3].flatMap((other) => [
    ...[...load(2 + other), ...code.set(pairOther)],
    ...addProduct(firstSum + 2 * other, pairA),
    ...addProduct(firstSum + 2 * other + 1, pairB),
  ]);
  const store = (n: number) => [
    ...[...code.constant(0), ...code.get(firstSum + n), ...code.half(0), ...code.get(firstSum + n), ...code.half(1)],
    ...[...code.addNumbers, ...code.store(8 * n)],
  ];
  return [
    ...code.loop,
    ...[...load(0), ...code.set(pairA), ...load(1), ...code.set(pairB)],
    ...others,
    ...[...code.get(atLocal), ...code.constant(16), ...code.add, ...code.set(atLocal)],
    ...[...code.get(atLocal), ...code.get(bytesLocal), ...code.less, ...code.repeatIf],
    ...code.end,
    ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap(store),
    ...code.end,
  ];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...sized(content)];
}

/** With the length in front, as LEB128. */
function sized(content: readonly number[]): number[] {
  const length: number[] = [];
  let left = content.length;
  for (; left > 127; left >>>= 7) length.push((left & 127) | 128);
  return [...length, left, ...content];
}
