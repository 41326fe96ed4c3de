import type { Limits } from "../limits.ts";
import { readImageHeader } from "./image-header.ts";
import { decodeJpeg } from "./jpeg.ts";
import { decodePng } from "./png.ts";

/** Decoded pixels. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  /** height × width × 3 bytes, row by row, 0–255 as stored (sRGB by custom; colour profiles and orientation are ignored). */
  readonly rgb: Uint8Array;
}

/**
 * Decodes a PNG or JPEG. Grey becomes three equal channels, palettes are looked up, 16 bits lose their lower eight, transparency is dropped.
 * The same bytes give the same pixels on every machine. Errors: INVALID_ARGUMENT, with `name` in the sentence.
 */
export async function decodeImage(bytes: Uint8Array, name: string, limits: Limits): Promise<RgbImage> {
  const header = readImageHeader(bytes, name, limits);
  return header.format === "png" ? decodePng(bytes, name) : await decodeJpeg(bytes, name, header);
}
