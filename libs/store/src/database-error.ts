import { AimassError } from "@aimass/core";

/** SQLSTATEs that say: the server goes, comes, or has no room. https://www.postgresql.org/docs/18/errcodes-appendix.html */
const unavailableStates = new Set(["57P01", "57P02", "57P03", "57P05", "53300", "25P03"]);
const networkCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
]);
/** What pg says without a code when a connection breaks, cannot be had, or does not answer. */
const brokenConnection =
  /^(connection terminated|connection ended|timeout exceeded|timeout expired|query read timeout|client (was closed|has encountered|is not queryable)|cannot use a pool after)/i;

/** A retry of the whole transaction may succeed: serialization_failure, deadlock_detected. */
export function isRetryable(error: unknown): boolean {
  return sqlState(error) === "40001" || sqlState(error) === "40P01";
}

/** A unique constraint refused the row; with a name, that constraint. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  return sqlState(error) === "23505" && (constraint === undefined || constraintOf(error) === constraint);
}

/** A foreign key refused the row; with a name, that constraint. */
export function isForeignKeyViolation(error: unknown, constraint?: string): boolean {
  return sqlState(error) === "23503" && (constraint === undefined || constraintOf(error) === constraint);
}

/** True when the database could not be reached, went away, or did not answer in time. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (error instanceof AimassError) return error.reason === "DATABASE_UNAVAILABLE";
  if (error instanceof AggregateError) return error.errors.some(isDatabaseUnavailable);
  const code = sqlState(error) ?? "";
  if (code.startsWith("08") || unavailableStates.has(code) || networkCodes.has(code)) return true;
  return code === "" && error instanceof Error && brokenConnection.test(error.message);
}

/**
 * Turns what pg throws into an AimassError where the caller can act on it:
 * a lost or missing connection is `UNAVAILABLE` with reason `DATABASE_UNAVAILABLE`; a statement that ran out of time is `DEADLINE_EXCEEDED`; a serialization failure or
 * deadlock is `ABORTED`. Anything else stays what it is.
 */
export function fromDatabaseError(error: unknown): unknown {
  if (error instanceof AimassError) return error;
  if (isDatabaseUnavailable(error)) {
    return new AimassError("UNAVAILABLE", "The database cannot be reached at the moment.", {
      reason: "DATABASE_UNAVAILABLE",
      remedy: "Try again shortly.",
      retryAfterMs: 1000,
      cause: error,
    });
  }
  if (sqlState(error) === "57014") {
    return new AimassError("DEADLINE_EXCEEDED", "The database did not answer in time.", { cause: error });
  }
  return error;
}

/** Contention that outlasted every retry. */
export function contended(cause: unknown): AimassError {
  return new AimassError("ABORTED", "Others kept changing the same data.", {
    reason: "CONTENTION",
    remedy: "Try again.",
    retryAfterMs: 200,
    cause,
  });
}

function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}

function constraintOf(error: unknown): string | undefined {
  return (error as { constraint?: string }).constraint;
}
