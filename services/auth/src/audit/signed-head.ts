import { type AuditHead, AuditHeadSchema } from "@aimass/api/auth";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Selectable } from "kysely";
import type { AuthDatabase } from "../database.ts";

/** A head of the ledger as it was signed. */
export interface SignedHead {
  readonly sequence: bigint;
  readonly hash: Uint8Array;
  readonly signedAtMs: number;
  readonly keyId: string;
  readonly signature: Uint8Array;
}

/** A head as the log, the file, the webhook and the artifact store have it. */
export interface HeadLine {
  readonly sequence: string;
  /** 64 hex digits. */
  readonly hash: string;
  /** ISO 8601. */
  readonly signedAt: string;
  readonly keyId: string;
  /** base64url. */
  readonly signature: string;
}

/** A head as the API carries it. */
export function encodeHead(head: SignedHead): AuditHead {
  const { signedAtMs, ...rest } = head;
  return create(AuditHeadSchema, { ...rest, signedAt: timestampFromMs(signedAtMs) });
}

export function toLine(head: SignedHead): HeadLine {
  return {
    sequence: head.sequence.toString(),
    hash: Buffer.from(head.hash).toString("hex"),
    signedAt: new Date(head.signedAtMs).toISOString(),
    keyId: head.keyId,
    signature: Buffer.from(head.signature).toString("base64url"),
  };
}

export function fromLine(line: HeadLine): SignedHead {
  return {
    sequence: BigInt(line.sequence),
    hash: new Uint8Array(Buffer.from(line.hash, "hex")),
    signedAtMs: Date.parse(line.signedAt),
    keyId: line.keyId,
    signature: new Uint8Array(Buffer.from(line.signature, "base64url")),
  };
}

export function fromRow(row: Selectable<AuthDatabase["audit_head"]>): SignedHead {
  return {
    sequence: BigInt(row.sequence),
    hash: row.hash,
    signedAtMs: row.signed_at.getTime(),
    keyId: row.key_id,
    signature: row.signature,
  };
}
