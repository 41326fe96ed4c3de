/** How a PNG's samples lie. */
export interface PngLayout {
  readonly width: number;
  readonly height: number;
  /** Bits of a sample. */
  readonly depth: number;
  readonly channels: number;
  readonly interlaced: boolean;
}

/** A reduced image of an interlaced PNG: which pixels it has. */
export interface PngPass {
  readonly x: number;
  readonly y: number;
  readonly stepX: number;
  readonly stepY: number;
  readonly width: number;
  readonly height: number;
}

const origins: readonly (readonly [number, number, number, number])[] = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

/** The seven passes of Adam7 (https://www.w3.org/TR/png-3/, 8.1), empty ones left out. */
export function adam7(width: number, height: number): PngPass[] {
  return origins
    .map(([x, y, stepX, stepY]) => ({
      x,
      y,
      stepX,
      stepY,
      width: Math.ceil((width - x) / stepX),
      height: Math.ceil((height - y) / stepY),
    }))
    .filter((pass) => pass.width > 0 && pass.height > 0);
}

/** Undoes the filters of rows that each begin with their filter's number, in place; false for an unknown filter. `unit`: bytes of a pixel. */
export function unfilter(rows: Uint8Array, stride: number, unit: number): boolean {
  for (let start = 0; start < rows.length; start += stride + 1) {
    const filter = rows[start] as number;
    if (filter > 4) return false;
    if (filter === 0) continue;
    const first = start === 0;
    for (let at = start + 1; at <= start + stride; at++) {
      const left = at - start > unit ? (rows[at - unit] as number) : 0;
      const up = first ? 0 : (rows[at - stride - 1] as number);
      const corner = first || at - start <= unit ? 0 : (rows[at - stride - 1 - unit] as number);
      rows[at] = (rows[at] as number) + predicted(filter, left, up, corner);
    }
  }
  return true;
}

function predicted(filter: number, left: number, up: number, corner: number): number {
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >>> 1;
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}
