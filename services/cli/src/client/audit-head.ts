import { createPublicKey, type JsonWebKey, verify } from "node:crypto";
import { type AuditHead, SessionService } from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Connection } from "./connection.ts";

/** Checks the signature of a ledger's head against the server's published keys. Errors: DATA_LOSS. */
export async function verifyAuditHead(connection: Connection, head: AuditHead): Promise<void> {
  const { jwksJson } = await connection.client(SessionService).getJwks({});
  const { keys } = JSON.parse(jwksJson) as { keys: (JsonWebKey & { kid?: string })[] };
  const jwk = keys.find((key) => key.kid === head.keyId);
  if (jwk === undefined)
    throw new AimassError(
      "DATA_LOSS",
      `The ledger's head is signed by ${head.keyId}, which the server does not publish.`,
    );
  if (!verify(null, auditHeadBytes(head), createPublicKey({ key: jwk, format: "jwk" }), head.signature)) {
    throw new AimassError("DATA_LOSS", "The signature of the ledger's head is not valid.");
  }
}

/** What is signed: sequence (8 bytes big-endian) ‖ hash ‖ signed_at in milliseconds (8 bytes big-endian). */
function auditHeadBytes(head: AuditHead): Buffer {
  const number = (value: bigint) => {
    const buffer = Buffer.alloc(8);
    buffer.writeBigUInt64BE(value);
    return buffer;
  };
  const signedAt = head.signedAt === undefined ? 0 : timestampMs(head.signedAt);
  return Buffer.concat([number(head.sequence), head.hash, number(BigInt(signedAt))]);
}
