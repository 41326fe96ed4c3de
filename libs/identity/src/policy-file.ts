import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { type PolicyUpdate, PolicyUpdateSchema } from "@aimass/api/auth";
import { toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** Put together between two turns of the event loop: about a millisecond's work. */
const chunkBytes = 256 * 1024;
const entriesField = PolicyUpdateSchema.field.entries.number;

/** A full update in the bytes of PolicyUpdate, in pieces. The entries are as they came, so that none is decoded and encoded again. */
export function* policyChunks(head: PolicyUpdate, entries: readonly Uint8Array[]): Generator<Uint8Array> {
  yield toBinary(PolicyUpdateSchema, { ...head, full: true, entries: [], removedKeys: [] });
  let writer = new BinaryWriter();
  let size = 0;
  for (const entry of entries) {
    writer.tag(entriesField, WireType.LengthDelimited).bytes(entry);
    size += entry.length;
    if (size < chunkBytes) continue;
    yield writer.finish();
    writer = new BinaryWriter();
    size = 0;
  }
  yield writer.finish();
}

/** Writes a file (mode 0600) whole or not at all, with turns of the event loop between the pieces. */
export async function writeWhole(file: string, chunks: Iterable<Uint8Array>): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const fresh = `${file}.${process.pid}.new`;
  try {
    await writeChunks(fresh, chunks);
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

async function writeChunks(file: string, chunks: Iterable<Uint8Array>): Promise<void> {
  await using handle = await open(file, "w", 0o600);
  for (const chunk of chunks) await handle.writeFile(chunk);
}
