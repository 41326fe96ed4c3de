import { type PolicyEntry, PolicyEntrySchema, type PolicyUpdate, PolicyUpdateSchema } from "@aimass/api/auth";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { uint64Bytes } from "./encoding.ts";
import type { ServiceIdentity } from "./service-identity.ts";

const zero = Buffer.from([0]);

/** What a signed update says besides its entries. */
export interface PolicyHead {
  readonly epoch: string;
  readonly version: bigint;
  readonly digest: Uint8Array;
  readonly issuedAtMs: number;
  readonly maxAgeSeconds: bigint;
}

/** The bytes of an entry that digests are made of. */
export function policyEntryBytes(entry: PolicyEntry): Uint8Array {
  return toBinary(PolicyEntrySchema, entry);
}

/** The bytes that are signed: epoch ‖ 0x00 ‖ version ‖ digest ‖ issued_at in milliseconds ‖ max_age_seconds, numbers as 8 bytes big-endian. */
export function policySigningBytes(head: PolicyHead): Uint8Array {
  return Buffer.concat([
    Buffer.from(head.epoch),
    zero,
    uint64Bytes(head.version),
    head.digest,
    uint64Bytes(head.issuedAtMs),
    uint64Bytes(head.maxAgeSeconds),
  ]);
}

/** The head of a received update. */
export function policyHead(update: PolicyUpdate): PolicyHead {
  return {
    epoch: update.epoch,
    version: update.version,
    digest: update.digest,
    issuedAtMs: update.issuedAt === undefined ? 0 : timestampMs(update.issuedAt),
    maxAgeSeconds: update.maxAgeSeconds,
  };
}

/** Makes a signed update. `identity` must be the auth service's for enforcers to accept it. */
export function signPolicyUpdate(
  identity: ServiceIdentity,
  head: PolicyHead,
  change: { full: boolean; entries: PolicyEntry[]; removedKeys: string[] },
): PolicyUpdate {
  const { keyId, signature } = identity.sign(policySigningBytes(head));
  return create(PolicyUpdateSchema, {
    epoch: head.epoch,
    version: head.version,
    digest: head.digest,
    issuedAt: timestampFromMs(head.issuedAtMs),
    maxAgeSeconds: head.maxAgeSeconds,
    ...change,
    keyId,
    signature,
  });
}
