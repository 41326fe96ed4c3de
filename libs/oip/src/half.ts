/** FP16 (IEEE 754 binary16) and BF16 (the upper half of binary32) as numbers. Node 24 has Float16Array; its buffer does the rounding. */
const half = new Float16Array(1);
const halfBits = new Uint16Array(half.buffer);
const single = new Float32Array(1);
const singleBits = new Uint32Array(single.buffer);

/** The number an FP16 bit pattern stands for. */
export function fromFp16(bits: number): number {
  halfBits[0] = bits;
  return half[0] as number;
}

/** The FP16 bit pattern nearest to a number, ties to even; overflow is infinite. */
export function toFp16(value: number): number {
  half[0] = value;
  return halfBits[0] as number;
}

/** The number a BF16 bit pattern stands for. */
export function fromBf16(bits: number): number {
  singleBits[0] = bits * 0x10000;
  return single[0] as number;
}

/** The BF16 bit pattern nearest to a number, ties to even, by way of binary32; NaN stays NaN. */
export function toBf16(value: number): number {
  single[0] = value;
  const bits = singleBits[0] as number;
  if (Number.isNaN(value)) return 0x7fc0;
  const rounded = bits + 0x7fff + ((bits >>> 16) & 1);
  return (rounded >>> 16) & 0xffff;
}
