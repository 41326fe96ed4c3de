import { type Code, codeFromNumber } from "@aimass/core";
import type { UnaryResult } from "@aimass/h2";

/** The code of a replica's answer. */
export type AnswerCode = Code | "OK";

/** How the caller's door encodes, and with it the replica's answer. */
export type Format = "grpc" | "rest";

const codeOfReplicaStatus: Readonly<Record<number, Code>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  413: "RESOURCE_EXHAUSTED",
  429: "RESOURCE_EXHAUSTED",
  499: "CANCELLED",
  500: "INTERNAL",
  501: "UNIMPLEMENTED",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

/** Reads the code of an answer: `grpc-status` in trailers (or in headers, when there is nothing else), else the HTTP status. */
export function codeOfAnswer(result: UnaryResult, format: Format): AnswerCode {
  if (format === "grpc") {
    const status = result.trailers["grpc-status"] ?? result.headers["grpc-status"];
    if (status !== undefined) return status === "0" ? "OK" : codeFromNumber(Number(status));
    return result.status === 200 ? "INTERNAL" : (codeOfReplicaStatus[result.status] ?? "UNKNOWN");
  }
  if (result.status < 400) return "OK";
  return codeOfReplicaStatus[result.status] ?? (result.status < 500 ? "INVALID_ARGUMENT" : "INTERNAL");
}

/**
 * Whether a replica that answers with this code did not begin the work: it drains or does not hold the version, because the routes are a moment old
 * (UNAVAILABLE), does not know the path, because it is of an older release (NOT_FOUND), or has a full queue (RESOURCE_EXHAUSTED).
 */
export function isRefusal(code: AnswerCode): boolean {
  return code === "UNAVAILABLE" || code === "NOT_FOUND" || code === "RESOURCE_EXHAUSTED";
}

/** Whether an answer speaks against the replica, not against the request. */
export function isReplicaFault(code: AnswerCode): boolean {
  return code === "INTERNAL" || code === "UNKNOWN" || code === "DATA_LOSS";
}

/** The sentence of a `grpc-message`; as it came when it is not encoded as it should be. */
export function percentDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
