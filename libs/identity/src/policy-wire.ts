import { type PolicyUpdate, PolicyUpdateSchema } from "@aimass/api/auth";
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import type { Pieces } from "./in-pieces.ts";
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
