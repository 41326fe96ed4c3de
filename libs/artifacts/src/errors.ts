import { AimassError } from "@aimass/core";

/** No artifact has this digest. */
export function artifactNotFound(sha256: string): AimassError {
  return new AimassError("NOT_FOUND", `There is no artifact ${sha256}.`, {
    reason: "ARTIFACT_NOT_FOUND",
    remedy: "Upload it first.",
  });
}

/** The upload never was, has ended, or was left alone for too long. */
export function uploadNotFound(): AimassError {
  return new AimassError("NOT_FOUND", "There is no such upload; it may have ended or expired.", {
    reason: "UPLOAD_NOT_FOUND",
    remedy: "Start the upload again; what an open upload has received is kept.",
  });
}

/** A chunk does not begin where the upload stands. */
export function offsetMismatch(receivedBytes: number, offset: number): AimassError {
  return new AimassError(
    "ABORTED",
    `The upload stands at byte ${receivedBytes}, but the chunk begins at byte ${offset}.`,
    { reason: "UPLOAD_OFFSET", field: "offset", remedy: `Go on from byte ${receivedBytes}.` },
  );
}

/** All bytes came, and they are not the announced ones. The upload is gone. */
export function digestMismatch(expected: string, actual: string): AimassError {
  return new AimassError("DATA_LOSS", `The bytes received have the digest ${actual}, not ${expected}.`, {
    reason: "DIGEST_MISMATCH",
    remedy: "The upload was dropped; start it again.",
  });
}

/** The storage took no more. The upload is gone, so that it does not hold the room it had. */
export function noRoom(cause?: unknown): AimassError {
  return new AimassError("RESOURCE_EXHAUSTED", "There is no room left for the artifact.", {
    reason: "NO_ROOM",
    remedy: "Free or add storage, then start the upload again.",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** A read begins behind the end. */
export function outOfRange(offset: number, sizeBytes: number): AimassError {
  return new AimassError("OUT_OF_RANGE", `The artifact has ${sizeBytes} bytes; byte ${offset} is behind its end.`, {
    field: "offset",
    remedy: `Read from byte 0 to ${sizeBytes}.`,
  });
}

/** The storage behind the artifacts does not answer as it should. */
export function storageUnavailable(cause: unknown): AimassError {
  return new AimassError("UNAVAILABLE", "The artifact storage does not answer.", {
    reason: "ARTIFACT_STORAGE",
    remedy: "Try again; if it lasts, look at the service's log.",
    cause,
  });
}
