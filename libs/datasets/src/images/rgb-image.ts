/** Decoded pixels. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  /** height × width × 3 bytes, row by row, 0–255 as stored (sRGB by custom; colour profiles and orientation are ignored). */
  readonly rgb: Uint8Array;
}
