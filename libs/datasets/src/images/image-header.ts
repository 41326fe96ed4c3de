import { badFile } from "../cells/bad-cell.ts";
import { type Limits, overLimit } from "../limits.ts";
import { quote } from "../schema.ts";

/** What an image says of itself before it is decoded. */
export interface ImageHeader {
  readonly format: "png" | "jpeg";
  /** In pixels. */
  readonly width: number;
  readonly height: number;
}

const pngMagic = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const remedy = "Save it as PNG or JPEG with an ordinary program.";

/** Reads an image's format and size, and refuses what is no image or larger than the limits. `name` is for messages. */
export function readImageHeader(bytes: Uint8Array, name: string, limits: Limits): ImageHeader {
  const header = pngHeader(bytes) ?? jpegHeader(bytes, name, limits);
  if (header === undefined) throw badImage(name, "is neither PNG nor JPEG");
  const { width, height } = header;
  if (width === 0 || height === 0) throw badImage(name, "has no pixels");
  const has = `Image ${quote(name)} has ${width.toLocaleString("en")} × ${height.toLocaleString("en")} pixels`;
  if (Math.max(width, height) > limits.imageSide) throw overLimit("imageSide", limits, has);
  if (width * height > limits.imagePixels) throw overLimit("imagePixels", limits, has);
  return header;
}

/** The refusal of an image. */
export function badImage(name: string, why: string, cause?: unknown): Error {
  return badFile(`Image ${quote(name)} ${why}.`, remedy, cause);
}

function pngHeader(bytes: Uint8Array): ImageHeader | undefined {
  if (bytes.length < 33 || pngMagic.compare(bytes, 0, 8) !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(12) !== 0x49484452) return undefined;
  return { format: "png", width: view.getUint32(16), height: view.getUint32(20) };
}

/** Goes through a JPEG's segments (ITU-T T.81, annex B) up to its frame, and counts its scans. */
function jpegHeader(bytes: Uint8Array, name: string, limits: Limits): ImageHeader | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8 || bytes[2] !== 0xff) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header: ImageHeader | undefined;
  let scans = 0;
  let at = 2;
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) throw badImage(name, "is a damaged JPEG");
    const marker = bytes[at + 1] as number;
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === 0xd9) break;
    const length = view.getUint16(at + 2);
    const next = at + 2 + length;
    if (length < 2 || next > bytes.length) throw badImage(name, "is a JPEG that is cut off");
    if (isFrame(marker)) {
      if (header !== undefined || length < 8) throw badImage(name, "is a JPEG with more than one frame");
      header = frameHeader(bytes, at + 4, name, marker);
    }
    at = next;
    if (marker !== 0xda) continue;
    if (++scans > limits.jpegScans)
      throw overLimit("jpegScans", limits, `Image ${quote(name)} has more than ${scans - 1} scans`);
    at = endOfScan(bytes, at);
  }
  if (header === undefined || scans === 0) throw badImage(name, "is a JPEG without an image");
  if (at + 2 > bytes.length || bytes[at + 1] !== 0xd9) throw badImage(name, "is a JPEG that is cut off");
  return header;
}

function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function frameHeader(bytes: Uint8Array, at: number, name: string, marker: number): ImageHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const components = bytes[at + 5];
  if (marker > 0xc2) throw badImage(name, "is a lossless, hierarchical or arithmetic JPEG");
  if (bytes[at] !== 8) throw badImage(name, `is a JPEG of ${bytes[at]} bits a sample`);
  if (components !== 1 && components !== 3) throw badImage(name, `is a JPEG of ${components} components (CMYK?)`);
  return { format: "jpeg", width: view.getUint16(at + 3), height: view.getUint16(at + 1) };
}

/** The marker after entropy-coded data: 0xFF followed by neither a stuffed zero nor a restart marker. */
function endOfScan(bytes: Uint8Array, from: number): number {
  for (let at = from; at + 1 < bytes.length; at++) {
    if (bytes[at] !== 0xff) continue;
    const marker = bytes[at + 1] as number;
    if (marker !== 0 && marker !== 0xff && (marker < 0xd0 || marker > 0xd7)) return at;
  }
  return bytes.length;
}
