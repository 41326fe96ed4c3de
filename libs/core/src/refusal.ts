import { AimassError, type Code } from "./errors.ts";

/** An AimassError without its prototype, which messages between threads lose; without its cause, which may be anything. */
export interface Refusal {
  readonly code: Code;
  readonly message: string;
  readonly reason: string | undefined;
  readonly field: string | undefined;
  readonly remedy: string | undefined;
}

export function toRefusal(error: unknown): Refusal {
  const { code, message, reason, field, remedy } = AimassError.from(error);
  return { code, message, reason, field, remedy };
}

export function fromRefusal({ code, message, reason, field, remedy }: Refusal): AimassError {
  return new AimassError(code, message, {
    ...(reason !== undefined && { reason }),
    ...(field !== undefined && { field }),
    ...(remedy !== undefined && { remedy }),
  });
}
