import { readFile } from "node:fs/promises";
import decode, { init } from "@jsquash/jpeg/decode.js";
import { badImage, type ImageHeader } from "./image-header.ts";
import type { RgbImage } from "./rgb-image.ts";

let decoder: Promise<void> | undefined;

/** Decodes a baseline or progressive JPEG with MozJPEG in WebAssembly. Its header must have been checked. */
export async function decodeJpeg(bytes: Uint8Array, name: string, header: ImageHeader): Promise<RgbImage> {
  decoder ??= startDecoder();
  await decoder;
  try {
    const owned = Uint8Array.from(bytes);
    const { width, height, data } = await decode(owned.buffer);
    if (width !== header.width || height !== header.height) throw new Error(`${width} × ${height} pixels came out`);
    return { width, height, rgb: withoutAlpha(data, width * height) };
  } catch (cause) {
    // A decoder that gave up is in no defined state.
    decoder = undefined;
    throw badImage(name, "is a damaged JPEG", cause);
  }
}

async function startDecoder(): Promise<void> {
  const path = new URL(import.meta.resolve("@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm"));
  await init({ wasmBinary: await readFile(path), print: () => {}, printErr: () => {} });
}

function withoutAlpha(rgba: Uint8ClampedArray, pixels: number): Uint8Array {
  const rgb = new Uint8Array(pixels * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = rgba[from] as number;
    rgb[to + 1] = rgba[from + 1] as number;
    rgb[to + 2] = rgba[from + 2] as number;
  }
  return rgb;
}
