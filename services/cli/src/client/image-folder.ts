import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { AimassError } from "@aimass/core";
import type { UploadSource } from "./upload.ts";
import { type ZipMember, zipSize, zipStream } from "./zip-stream.ts";

/** What operating systems leave in folders without anyone's wish. */
const litter = /^(\.|Thumbs\.db$|desktop\.ini$)/i;
const largestImage = 32 * 1024 * 1024;

/** A folder of images, as it is packed. */
export interface ImageFolder extends UploadSource {
  readonly images: number;
  readonly labels: readonly string[];
}

/**
 * A folder with a folder of PNG and JPEG files for each class, as a ZIP that is made while it is read: equal folders give equal bytes, and
 * memory does not grow with them. Errors: INVALID_ARGUMENT naming the file that does not belong.
 */
export async function imageFolder(path: string): Promise<ImageFolder> {
  const labels: string[] = [];
  const members: ZipMember[] = [];
  for (const entry of await sorted(path)) {
    if (!entry.isDirectory) throw strayFile(join(path, entry.name), "is in no folder of a class, so it has no label");
    const images = await imagesOf(path, entry.name);
    if (images.length > 0) labels.push(entry.name);
    members.push(...images);
  }
  if (members.length === 0) throw strayFile(path, "has no images");
  return {
    images: members.length,
    labels,
    sizeBytes: zipSize(members),
    read: (start) => from(start, zipStream(members)),
  };
}

async function imagesOf(folder: string, label: string): Promise<ZipMember[]> {
  const members: ZipMember[] = [];
  for (const entry of await sorted(join(folder, label))) {
    const path = join(folder, label, entry.name);
    if (entry.isDirectory) throw strayFile(path, "is a folder inside the folder of a class");
    if (!/\.(png|jpe?g)$/i.test(entry.name)) throw strayFile(path, "is neither PNG nor JPEG");
    const { size } = await stat(path);
    if (size > largestImage) throw strayFile(path, `has ${size} bytes; an image may have ${largestImage}`);
    members.push({ name: `${label}/${entry.name}`, sizeBytes: size, read: () => wholeFile(path, size) });
  }
  return members;
}

/** By code units, as paths in an archive are ordered: the same everywhere. */
async function sorted(path: string): Promise<{ name: string; isDirectory: boolean }[]> {
  const entries = (await readdir(path, { withFileTypes: true })).filter(({ name }) => !litter.test(name));
  const found = await Promise.all(
    entries.map(async (entry) => ({
      name: entry.name,
      isDirectory: entry.isSymbolicLink() ? (await stat(join(path, entry.name))).isDirectory() : entry.isDirectory(),
    })),
  );
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function wholeFile(path: string, sizeBytes: number): Promise<Uint8Array> {
  const bytes = await readFile(path);
  if (bytes.length !== sizeBytes)
    throw new AimassError("FAILED_PRECONDITION", `${path} changed while it was read.`, { remedy: "Push it again." });
  return bytes;
}

async function* from(start: number, parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const part of parts) {
    if (at + part.length > start) yield part.subarray(Math.max(0, start - at));
    at += part.length;
  }
}

function strayFile(path: string, what: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", `${path} ${what}.`, {
    remedy: "Keep one folder a class with its PNG and JPEG files, and nothing else: cat/1.png, dog/1.png.",
  });
}
