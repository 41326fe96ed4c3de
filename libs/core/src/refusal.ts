import { AimassError, type Code } from "./errors.ts";

/** What an AimassError says, as a plain object: messages between threads and processes lose prototypes. Its cause, which may be anything, stays behind. */
export interface Refusal {
  readonly code: Code;
  readonly message: string;
  readonly reason: string | undefined;
  readonly field: string | undefined;
  readonly remedy: string | undefined;
  readonly retryAfterMs: number | undefined;
}

export function toRefusal(error: unknown): Refusal {
  const { code, message, reason, field, remedy, retryAfterMs } = AimassError.from(error);
  return { code, message, reason, field, remedy, retryAfterMs };
}

export function fromRefusal({ code, message, reason, field, remedy, retryAfterMs }: Refusal): AimassError {
  return new AimassError(code, message, {
    ...(reason !== undefined && { reason }),
    ...(field !== undefined && { field }),
    ...(remedy !== undefined && { remedy }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}
