import { crc32, deflateSync } from "node:zlib";
import { adam7 } from "./png-passes.ts";

/** What a PNG for a test is made of. */
export interface PngOptions {
  readonly width: number;
  readonly height: number;
  readonly colour: number;
  readonly depth: number;
  /** Row by row, channel by channel. */
  readonly samples: readonly number[];
  readonly filter?: number;
  readonly interlaced?: boolean;
  readonly palette?: readonly number[];
  /** A size that is not the true one. */
  readonly claim?: { readonly width: number; readonly height: number };
  /** Packed pixels other than the samples. */
  readonly pixels?: Uint8Array;
}

const channelsOf: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** Writes a PNG of any kind, honest or not. */
export function pngOf(options: PngOptions): Uint8Array {
  const { width, height } = options.claim ?? options;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([options.depth, options.colour, 0, 0, options.interlaced ? 1 : 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const parts = [signature, chunk("IHDR", header)];
  if (options.colour === 3) parts.push(chunk("PLTE", Buffer.from(options.palette ?? [])));
  parts.push(chunk("IDAT", options.pixels ?? deflateSync(filteredRows(options))), chunk("IEND", new Uint8Array(0)));
  return Buffer.concat(parts);
}

function chunk(type: string, body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(12 + body.length);
  bytes.writeUInt32BE(body.length, 0);
  bytes.write(type, 4, "latin1");
  bytes.set(body, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + body.length)), 8 + body.length);
  return bytes;
}

function filteredRows(options: PngOptions): Uint8Array {
  const { width, height, interlaced, depth, colour } = options;
  const passes = interlaced ? adam7(width, height) : [{ x: 0, y: 0, stepX: 1, stepY: 1, width, height }];
  const unit = Math.max(1, ((channelsOf[colour] as number) * depth) >> 3);
  const rows = passes.flatMap((pass) => {
    let above: Uint8Array | undefined;
    return Array.from({ length: pass.height }, (_, row) => {
      const columns = Array.from({ length: pass.width }, (_, column) => pass.x + column * pass.stepX);
      const plain = packedRow(options, pass.y + row * pass.stepY, columns);
      const filtered = filterRow(plain, above ?? new Uint8Array(plain.length), options.filter ?? 0, unit);
      above = plain;
      return filtered;
    });
  });
  return Buffer.concat(rows);
}

function packedRow({ width, colour, depth, samples }: PngOptions, row: number, columns: readonly number[]): Uint8Array {
  const channels = channelsOf[colour] as number;
  const bits = columns.flatMap((column) =>
    Array.from({ length: channels }, (_, channel) =>
      (samples[(row * width + column) * channels + channel] as number).toString(2).padStart(depth, "0"),
    ),
  );
  const text = bits.join("");
  return Uint8Array.from({ length: Math.ceil(text.length / 8) }, (_, i) =>
    Number.parseInt(text.slice(i * 8, i * 8 + 8).padEnd(8, "0"), 2),
  );
}

function filterRow(row: Uint8Array, above: Uint8Array, filter: number, unit: number): Uint8Array {
  const filtered = new Uint8Array(row.length + 1);
  filtered[0] = filter;
  for (let i = 0; i < row.length; i++) {
    const left = row[i - unit] ?? 0;
    const up = above[i] as number;
    const corner = above[i - unit] ?? 0;
    filtered[i + 1] = (row[i] as number) - ([0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter] as number);
  }
  return filtered;
}

function paeth(left: number, up: number, corner: number): number {
  const estimate = left + up - corner;
  const candidates = [left, up, corner];
  return candidates.reduce((best, one) => (Math.abs(estimate - one) < Math.abs(estimate - best) ? one : best));
}
