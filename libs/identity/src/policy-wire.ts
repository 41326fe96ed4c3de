import { type PolicyUpdate, PolicyUpdateSchema } from "@aimass/api/auth";
import { joinPieces, nextTurn, type Pieces } from "@aimass/core";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { policyEntryBytes } from "./policy-update.ts";

/** A policy update whose entries are still in the bytes that digests are made of. */
export interface EncodedUpdate {
  /** Without its entries. */
  readonly head: PolicyUpdate;
  /** Each a PolicyEntry. */
  readonly entries: readonly Uint8Array[];
}

const entriesField = PolicyUpdateSchema.field.entries.number;

/** Fields that are read in one piece. */
const pieceFields = 256;

/** Put together between two turns of the event loop: about a millisecond's work. */
const chunkBytes = 256 * 1024;

/** Takes the bytes of a PolicyUpdate apart and leaves the entries as they are: a policy has very many. Throws for what is none. */
export function* readEncodedUpdate(bytes: Uint8Array): Pieces<EncodedUpdate> {
  const reader = new BinaryReader(bytes);
  const entries: Uint8Array[] = [];
  const rest: Uint8Array[] = [];
  for (let fields = 1; reader.pos < reader.len; fields++) {
    const startsAt = reader.pos;
    const [field, wireType] = reader.tag();
    if (field === entriesField) {
      entries.push(reader.bytes());
    } else {
      reader.skip(wireType, field);
      rest.push(bytes.subarray(startsAt, reader.pos));
    }
    if (fields % pieceFields === 0) yield;
  }
  return { head: fromBinary(PolicyUpdateSchema, Buffer.concat(rest)), entries };
}

/** The same of an update that is decoded already. */
export function encodedUpdate(update: PolicyUpdate): EncodedUpdate {
  return { head: { ...update, entries: [] }, entries: update.entries.map(policyEntryBytes) };
}

/** A full update in the bytes of PolicyUpdate, in pieces. The entries are as they came, so that none is decoded and encoded again. */
export function* policyChunks(head: PolicyUpdate, entries: readonly Uint8Array[]): Generator<Uint8Array> {
  yield policyHeadBytes(head);
  yield* entryChunks(entriesField, entries);
}

/** What stands before the entries of a full update, in the bytes of PolicyUpdate. */
export function policyHeadBytes(head: PolicyUpdate): Uint8Array {
  return toBinary(PolicyUpdateSchema, { ...head, full: true, entries: [], removedKeys: [] });
}

/** Encoded entries as a PolicyUpdate has them behind its other fields, made in turns: a policy has very many. */
export async function joinPolicyEntries(entries: readonly Uint8Array[]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (const chunk of entryChunks(entriesField, entries)) {
    chunks.push(chunk);
    size += chunk.length;
    await nextTurn();
  }
  return joinPieces(chunks, size);
}

/** Encoded messages as a repeated field, in pieces. */
export function* entryChunks(field: number, entries: readonly Uint8Array[]): Generator<Uint8Array> {
  let writer = new BinaryWriter();
  let size = 0;
  for (const entry of entries) {
    writer.tag(field, WireType.LengthDelimited).bytes(entry);
    size += entry.length;
    if (size < chunkBytes) continue;
    yield writer.finish();
    writer = new BinaryWriter();
    size = 0;
  }
  yield writer.finish();
}
