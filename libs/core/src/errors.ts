/**
 * The closed error vocabulary of the mesh: gRPC's status codes (https://grpc.io/docs/guides/status-codes/).
 * Numbers are those on the wire.
 */
export const statusCodes = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** The name of a status code. */
export type Code = keyof typeof statusCodes;

/** What an error carries beside its code and sentence. */
export interface ErrorFacts {
  /** Stable name a program may branch on, for instance "ALIAS_MOVED". */
  readonly reason?: string;
  /** Path of the field to blame, for instance "inputs[0].shape". */
  readonly field?: string;
  /** One sentence: what would be right, or what to do next. */
  readonly remedy?: string;
  /** When trying again makes sense, in milliseconds from now. */
  readonly retryAfterMs?: number;
  /** What went wrong underneath: for logs, never sent to a caller. */
  readonly cause?: unknown;
}

/** The one error class that crosses package borders. Its message is written for the caller and may be sent to them. */
export class AimassError extends Error {
  override readonly name = "AimassError";
  readonly code: Code;
  readonly reason: string | undefined;
  readonly field: string | undefined;
  readonly remedy: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: Code, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.reason = facts.reason;
    this.field = facts.field;
    this.remedy = facts.remedy;
    this.retryAfterMs = facts.retryAfterMs;
  }

  /** The message with its remedy, as a person should read it. */
  get advice(): string {
    return this.remedy === undefined ? this.message : `${this.message} ${this.remedy}`;
  }

  /**
   * Turns anything thrown into an AimassError:
   * an AimassError stays itself; an AbortError is CANCELLED; a TimeoutError is DEADLINE_EXCEEDED; anything else is INTERNAL with a
   * sentence that gives nothing away, the original kept as `cause`.
   */
  static from(thrown: unknown): AimassError {
    if (thrown instanceof AimassError) return thrown;
    if (thrown instanceof Error && thrown.name === "AbortError") {
      return new AimassError("CANCELLED", "The call was cancelled.", { cause: thrown });
    }
    if (thrown instanceof Error && thrown.name === "TimeoutError") {
      return new AimassError("DEADLINE_EXCEEDED", "The deadline passed before the call was done.", { cause: thrown });
    }
    return new AimassError("INTERNAL", "An internal error occurred; the service's log has the details.", {
      cause: thrown,
    });
  }
}

const codeByHttpStatus: Readonly<Record<number, Code>> = {
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  408: "DEADLINE_EXCEEDED",
  409: "ABORTED",
  415: "UNIMPLEMENTED",
  429: "RESOURCE_EXHAUSTED",
  499: "CANCELLED",
  501: "UNIMPLEMENTED",
  502: "UNAVAILABLE",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

/** The code of an HTTP answer that failed, of a mesh or of a proxy before it: INVALID_ARGUMENT for what blames the request, INTERNAL for other faults. */
export function codeOfHttpStatus(status: number): Code {
  return codeByHttpStatus[status] ?? (status < 500 ? "INVALID_ARGUMENT" : "INTERNAL");
}

/** The name of a wire code; UNKNOWN for a number outside the vocabulary. */
export function codeFromNumber(code: number): Code {
  for (const [name, value] of Object.entries(statusCodes)) if (value === code) return name as Code;
  return "UNKNOWN";
}
