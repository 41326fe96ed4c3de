import { AimassError } from "@aimass/core";

const sha256Hex = /^[0-9a-f]{64}$/;

/** Throws INVALID_ARGUMENT unless `text` is a SHA-256 digest as 64 lower-case hex digits. */
export function assertSha256(text: string): void {
  if (sha256Hex.test(text)) return;
  throw new AimassError("INVALID_ARGUMENT", "The digest is not a SHA-256 digest.", {
    field: "sha256",
    remedy: "Send the 32 bytes (64 hex digits) of the artifact's SHA-256.",
  });
}

/** Whether `text` is a SHA-256 digest as 64 lower-case hex digits. */
export function isSha256(text: string): boolean {
  return sha256Hex.test(text);
}
