/** Sorts numbers in place, ascending, −0 as 0; no NaN. Three passes over 11 bits of their order-preserving bit patterns. */
export function sortFloats(values: Float32Array): void {
  const n = values.length;
  if (n < 256) {
    values.sort();
    return;
  }
  let keys = new Uint32Array(n);
  const bits = new Uint32Array(values.buffer, values.byteOffset, n);
  for (let i = 0; i < n; i++) {
    const b = bits[i]! === 0x8000_0000 ? 0 : bits[i]!;
    keys[i] = b & 0x8000_0000 ? ~b : b | 0x8000_0000;
  }
  let sorted = new Uint32Array(n);
  const counts = new Uint32Array(2048);
  for (let shift = 0; shift < 33; shift += 11) {
    counts.fill(0);
    for (let i = 0; i < n; i++) counts[(keys[i]! >>> shift) & 2047]!++;
    for (let d = 0, at = 0; d < 2048; d++) {
      const count = counts[d]!;
      counts[d] = at;
      at += count;
    }
    for (let i = 0; i < n; i++) sorted[counts[(keys[i]! >>> shift) & 2047]!++] = keys[i]!;
    [keys, sorted] = [sorted, keys];
  }
  for (let i = 0; i < n; i++) {
    const key = keys[i]!;
    bits[i] = key & 0x8000_0000 ? key & 0x7fff_ffff : ~key;
  }
}
