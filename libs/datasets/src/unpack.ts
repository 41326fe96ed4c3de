import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { AimassError } from "@aimass/core";
import { badFile } from "./cells/bad-cell.ts";
import type { DataFile } from "./data-file.ts";
import { type Limits, overLimit } from "./limits.ts";

/** How a text file is compressed as a whole. */
export type Packing = "gzip" | "Zstandard";

const blockBytes = 256 * 1024;

/** Tells compression from the first bytes of a file; undefined where there is none that is read. */
export function packingOf([first, second, third, fourth]: Uint8Array): Packing | undefined {
  if (first === 0x1f && second === 0x8b) return "gzip";
  return first === 0x28 && second === 0xb5 && third === 0x2f && fourth === 0xfd ? "Zstandard" : undefined;
}

/**
 * The bytes of a compressed file, front to back, in memory that does not grow with it. Errors: INVALID_ARGUMENT for a file that is damaged or cut off, and,
 * with reason DATASET_LIMIT, for one that unpacks to more than `limits.zipTotalBytes`.
 */
export async function* unpack(
  file: DataFile,
  packing: Packing,
  limits: Limits,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void> {
  const unpacking =
    packing === "gzip" ? createGunzip({ chunkSize: blockBytes }) : createZstdDecompress({ chunkSize: blockBytes });
  const packed = pipeline(Readable.from(blocksOf(file, signal)), unpacking);
  // Its failure comes out of the loop below, too.
  packed.catch(() => {});
  let total = 0;
  try {
    for await (const piece of unpacking) {
      total += piece.length;
      if (total > limits.zipTotalBytes) {
        throw overLimit("zipTotalBytes", limits, `The file unpacks to at least ${total.toLocaleString("en")} bytes`);
      }
      yield piece;
    }
    // Node's decoder ends with the first frame of Zstandard, whatever follows.
    if (unpacking.bytesWritten < file.sizeBytes && packing === "Zstandard") throw severalFrames();
  } catch (error) {
    throw damaged(error, packing, total);
  }
}

async function* blocksOf(file: DataFile, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < file.sizeBytes; offset += blockBytes) yield await file.read(offset, blockBytes, signal);
}

function severalFrames(): Error {
  return badFile(
    "The file has more than one frame of Zstandard.",
    "Unpack it first (zstd -d), and push what is in it.",
  );
}

function damaged(error: unknown, packing: Packing, total: number): unknown {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (error instanceof AimassError || !/^(?:Z_|ZSTD_|ERR_ZLIB|ERR_ZSTD)/.test(code)) return error;
  const where = `after ${total.toLocaleString("en")} unpacked bytes`;
  const why = code === "Z_BUF_ERROR" ? "is cut off" : "is damaged";
  return badFile(`The ${packing} file ${why} ${where}.`, "Upload it again, or pack it anew.", error);
}
