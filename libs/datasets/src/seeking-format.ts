import { badFile } from "./cells/bad-cell.ts";
import type { DataFile } from "./data-file.ts";
import { type Packing, packingOf } from "./unpack.ts";

const kinds = { parquet: "Parquet", arrow: "an Arrow file", "image-zip": "a ZIP archive" } as const;

/** A format that is read here and there, and not from front to back. */
export type SeekingFormat = keyof typeof kinds;

/** Tells one from the first bytes of a file. A workbook is a ZIP archive. */
export function seekingFormat(bytes: Uint8Array): SeekingFormat | undefined {
  const start = Buffer.from(bytes.subarray(0, 8)).toString("latin1");
  if (start.startsWith("PAR1")) return "parquet";
  if (start.startsWith("ARROW1\0\0")) return "arrow";
  return start.startsWith("PK\x03\x04") || start.startsWith("PK\x05\x06") ? "image-zip" : undefined;
}

/** Refuses such a file when it was compressed as a whole. `bytes`: its first ones, unpacked. */
export function refuseSeeking(bytes: Uint8Array, packing: Packing): void {
  const format = seekingFormat(bytes);
  if (format === undefined) return;
  throw badFile(
    `The file is ${kinds[format]}, compressed once more with ${packing}: it cannot be read from front to back.`,
    unpackFirst(packing),
  );
}

/** Refuses a compressed file where one that is read here and there was named. */
export async function refusePacked(
  file: DataFile,
  format: SeekingFormat,
  signal: AbortSignal | undefined,
): Promise<void> {
  const packing = packingOf(await file.read(0, 4, signal));
  if (packing === undefined) return;
  throw badFile(`The file is compressed with ${packing}, and not ${kinds[format]} as it is.`, unpackFirst(packing));
}

function unpackFirst(packing: Packing): string {
  return `Unpack it first: ${packing === "gzip" ? "gunzip" : "zstd -d"} FILE.`;
}
