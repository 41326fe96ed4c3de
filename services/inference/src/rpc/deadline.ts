import { AimassError } from "@aimass/core";

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000001 };

/**
 * When a call must be answered, in monotonic milliseconds: `now` plus the header `grpc-timeout`; Infinity without one. Throws INVALID_ARGUMENT for text that is no timeout.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
export function deadlineOf(timeout: string | undefined, now: number): number {
  if (timeout === undefined) return Number.POSITIVE_INFINITY;
  const match = /^(\d{1,8})([HMSmun])$/.exec(timeout);
  if (match === null) {
    throw new AimassError("INVALID_ARGUMENT", "The header grpc-timeout is no timeout.", {
      field: "grpc-timeout",
      remedy: "It looks like 250m or 5S.",
    });
  }
  return now + Number(match[1]) * (unitMs[match[2] as string] as number);
}
