import { AimassError } from "@aimass/core";

const base64urlText = /^[A-Za-z0-9_-]*$/;

/** Bytes as unpadded base64url (RFC 4648 section 5). */
export function toBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
}

/**
 * Reads unpadded base64url; undefined for anything else. Strict: foreign characters, padding and non-canonical last characters are refused, so that
 * one value has one text.
 */
export function fromBase64url(text: string): Buffer | undefined {
  if (!base64urlText.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : undefined;
}

/** A non-negative whole number as 8 bytes, big-endian. */
export function uint64Bytes(value: bigint | number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** Parses a JSON object; undefined for other JSON and for text that is none. */
export function parseJsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** The error of every credential that does not hold. The sentence never repeats the credential. */
export function unauthenticated(message: string, remedy?: string): AimassError {
  return new AimassError("UNAUTHENTICATED", message, {
    reason: "CREDENTIAL_REFUSED",
    ...(remedy === undefined ? {} : { remedy }),
  });
}
