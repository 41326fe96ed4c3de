import { crc32, inflateSync } from "node:zlib";
import { badImage } from "./image-header.ts";
import { adam7, type PngLayout, type PngPass, unfilter } from "./png-passes.ts";
import type { RgbImage } from "./rgb-image.ts";

/** Samples of a pixel by colour type (https://www.w3.org/TR/png-3/, 11.2.1), with the depths allowed. */
const colourTypes: ReadonlyMap<number, { readonly channels: number; readonly depths: readonly number[] }> = new Map([
  [0, { channels: 1, depths: [1, 2, 4, 8, 16] }],
  [2, { channels: 3, depths: [8, 16] }],
  [3, { channels: 1, depths: [1, 2, 4, 8] }],
  [4, { channels: 2, depths: [8, 16] }],
  [6, { channels: 4, depths: [8, 16] }],
]);

/** Decodes a PNG of any colour type and depth, interlaced or not. Unpacks exactly as many bytes as its size needs. */
export function decodePng(bytes: Uint8Array, name: string): RgbImage {
  const { layout, colour, palette, packed } = readChunks(bytes, name);
  const { width, height } = layout;
  const passes = layout.interlaced ? adam7(width, height) : [{ x: 0, y: 0, stepX: 1, stepY: 1, width, height }];
  const needed = passes.reduce((sum, pass) => sum + (1 + rowBytes(pass.width, layout)) * pass.height, 0);
  const pixels = inflatePixels(packed, needed, name);
  const rgb = new Uint8Array(width * height * 3);
  let at = 0;
  for (const pass of passes) {
    const stride = rowBytes(pass.width, layout);
    const rows = pixels.subarray(at, at + (1 + stride) * pass.height);
    if (!unfilter(rows, stride, Math.max(1, (layout.channels * layout.depth) >> 3)))
      throw badImage(name, "is a PNG with an unknown filter");
    paint(rgb, rows, { pass, stride, layout, colour, palette });
    at += rows.length;
  }
  return { width, height, rgb };
}

interface Chunks {
  readonly layout: PngLayout;
  readonly colour: number;
  readonly palette: Uint8Array | undefined;
  readonly packed: Buffer;
}

function readChunks(bytes: Uint8Array, name: string): Chunks {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [width, height] = [data.readUInt32BE(16), data.readUInt32BE(20)];
  const [depth, colour] = [data[24] as number, data[25] as number];
  const kind = colourTypes.get(colour);
  if (!kind?.depths.includes(depth) || data[26] !== 0 || data[27] !== 0 || (data[28] as number) > 1) {
    throw badImage(name, "is a PNG of a kind that the standard does not know");
  }
  let palette: Uint8Array | undefined;
  const parts: Buffer[] = [];
  for (let at = 8; ; ) {
    if (at + 12 > data.length) throw badImage(name, "is a PNG that is cut off");
    const length = data.readUInt32BE(at);
    const type = data.toString("latin1", at + 4, at + 8);
    if (at + 12 + length > data.length) throw badImage(name, "is a PNG that is cut off");
    const body = data.subarray(at + 8, at + 8 + length);
    if (crc32(data.subarray(at + 4, at + 8 + length)) !== data.readUInt32BE(at + 8 + length)) {
      throw badImage(name, `is a PNG whose ${JSON.stringify(type)} chunk has a wrong checksum`);
    }
    if (type === "PLTE") palette = body;
    else if (type === "IDAT") parts.push(body);
    else if (type === "IEND") break;
    at += 12 + length;
  }
  if (colour === 3 && palette === undefined) throw badImage(name, "is a PNG without its palette");
  const layout = { width, height, depth, channels: kind.channels, interlaced: data[28] === 1 };
  return { layout, colour, palette, packed: Buffer.concat(parts) };
}

function inflatePixels(packed: Buffer, needed: number, name: string): Uint8Array {
  let pixels: Uint8Array;
  try {
    pixels = inflateSync(packed, { maxOutputLength: Math.max(1, needed) });
  } catch (cause) {
    throw badImage(name, "is a PNG whose pixels do not unpack to its size", cause);
  }
  if (pixels.byteLength !== needed) throw badImage(name, "is a PNG with fewer pixels than its size");
  return pixels;
}

function rowBytes(width: number, { channels, depth }: PngLayout): number {
  return Math.ceil((width * channels * depth) / 8);
}

interface Painting {
  readonly pass: PngPass;
  readonly stride: number;
  readonly layout: PngLayout;
  readonly colour: number;
  readonly palette: Uint8Array | undefined;
}

function paint(rgb: Uint8Array, rows: Uint8Array, painting: Painting): void {
  const { pass, stride, layout } = painting;
  const pixel = pixelReader(painting);
  for (let row = 0; row < pass.height; row++) {
    const start = row * (1 + stride) + 1;
    let to = ((pass.y + row * pass.stepY) * layout.width + pass.x) * 3;
    for (let column = 0; column < pass.width; column++, to += 3 * pass.stepX) pixel(rows, start, column, rgb, to);
  }
}

type PixelReader = (rows: Uint8Array, start: number, column: number, rgb: Uint8Array, to: number) => void;

function pixelReader({ layout, colour, palette }: Painting): PixelReader {
  const { depth, channels } = layout;
  const bytes = depth === 16 ? 2 : 1;
  if (colour === 2 || colour === 6) {
    return (rows, start, column, rgb, to) => {
      const from = start + column * channels * bytes;
      rgb[to] = rows[from] as number;
      rgb[to + 1] = rows[from + bytes] as number;
      rgb[to + 2] = rows[from + 2 * bytes] as number;
    };
  }
  const mask = (1 << Math.min(depth, 8)) - 1;
  const sample = (rows: Uint8Array, start: number, column: number): number => {
    if (depth >= 8) return rows[start + column * channels * bytes] as number;
    const bit = column * depth;
    return ((rows[start + (bit >>> 3)] as number) >>> (8 - depth - (bit & 7))) & mask;
  };
  if (palette !== undefined && colour === 3) {
    return (rows, start, column, rgb, to) => {
      const from = sample(rows, start, column) * 3;
      for (let channel = 0; channel < 3; channel++) rgb[to + channel] = palette[from + channel] ?? 0;
    };
  }
  return (rows, start, column, rgb, to) => rgb.fill((sample(rows, start, column) * 255) / mask, to, to + 3);
}
