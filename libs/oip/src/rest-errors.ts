import type { AimassError, Code } from "@aimass/core";

/** HTTP status of each code, as google.rpc.Code documents them; RESOURCE_EXHAUSTED and its like can be tried again. */
const statusByCode: Record<Code, number> = {
  CANCELLED: 499,
  UNKNOWN: 500,
  INVALID_ARGUMENT: 400,
  DEADLINE_EXCEEDED: 504,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 400,
  ABORTED: 409,
  OUT_OF_RANGE: 400,
  UNIMPLEMENTED: 501,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DATA_LOSS: 500,
  UNAUTHENTICATED: 401,
};

/** Reasons whose status says more than their code's. */
const statusByReason: Readonly<Record<string, number>> = {
  BODY_TOO_LARGE: 413,
  UNKNOWN_CONTENT_ENCODING: 415,
  UNKNOWN_CONTENT_TYPE: 415,
};

/** The HTTP status a REST answer has for an error; too large a body is 413, one in a form that is not read here 415. */
export function httpStatus({ code, reason = "" }: Pick<AimassError, "code" | "reason">): number {
  return Object.hasOwn(statusByReason, reason) ? (statusByReason[reason] as number) : statusByCode[code];
}

/** A REST error as Triton's clients read it: status, headers and `{"error": "…"}`. Adds Retry-After in whole seconds when it is known. */
export function encodeRestError(error: AimassError): { status: number; headers: Record<string, string>; body: Buffer } {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (error.retryAfterMs !== undefined) headers["retry-after"] = String(Math.ceil(error.retryAfterMs / 1000));
  if (error.code === "UNAUTHENTICATED") headers["www-authenticate"] = "Bearer";
  return { status: httpStatus(error), headers, body: Buffer.from(JSON.stringify({ error: error.advice })) };
}
