import type { Limits } from "../limits.ts";
import { readImageHeader } from "./image-header.ts";
import { decodeJpeg } from "./jpeg.ts";
import { decodePng } from "./png.ts";
import type { RgbImage } from "./rgb-image.ts";

/**
 * Decodes a PNG or JPEG. Grey becomes three equal channels, palettes are looked up, 16 bits lose their lower eight, transparency is dropped.
 * The same bytes give the same pixels on every machine. Errors: INVALID_ARGUMENT, with `name` in the sentence.
 */
export async function decodeImage(bytes: Uint8Array, name: string, limits: Limits): Promise<RgbImage> {
  const header = readImageHeader(bytes, name, limits);
  return header.format === "png" ? decodePng(bytes, name) : await decodeJpeg(bytes, name, header);
}
