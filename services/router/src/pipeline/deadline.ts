import { AimassError } from "@aimass/core";

const unitsMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000001,
};

/** Milliseconds of a `grpc-timeout` value ("100m", "2S"); undefined when there is none. Throws INVALID_ARGUMENT for a malformed one. */
export function parseGrpcTimeout(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const unit = unitsMs[text.slice(-1)];
  const digits = text.slice(0, -1);
  if (unit === undefined || digits.length > 8 || !/^\d+$/.test(digits))
    throw malformed("grpc-timeout", text, '"250m" or "2S"');
  return Number(digits) * unit;
}

/** Milliseconds of a header that carries plain milliseconds. */
export function parseMilliseconds(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = Number(text);
  if (text === "" || !Number.isFinite(ms) || ms < 0) throw malformed(name, text, '"2000"');
  return ms;
}

/** A `grpc-timeout` value for so many milliseconds, rounded up; at most eight digits. */
export function formatGrpcTimeout(ms: number): string {
  const whole = Math.max(1, Math.ceil(ms));
  return whole < 100_000_000 ? `${whole}m` : `${Math.min(99_999_999, Math.ceil(whole / 1000))}S`;
}

function malformed(name: string, text: string, example: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", `The header ${name} has "${text.slice(0, 50)}", which is no duration.`, {
    field: name,
    remedy: `Write for instance ${example}.`,
  });
}
