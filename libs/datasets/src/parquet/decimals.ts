import { lostDigits } from "../cells/lost-digits.ts";

/** Powers of ten up to this are exact doubles. */
const mostExactPower = 22;
/** No program writes more; texts of them would be as long. */
const mostScale = 1000;

/** The decimal unscaled / 10^scale, written out. Errors: RangeError for a scale beyond all sense. */
export function decimalText(unscaled: bigint, scale: number): string {
  if (!(Math.abs(scale) <= mostScale)) throw new RangeError("a decimal has too many places");
  if (scale <= 0) return String(unscaled * 10n ** BigInt(-scale));
  const sign = unscaled < 0n ? "-" : "";
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** The nearest double of unscaled / 10^scale, and what that loses. */
export function decimalValue(unscaled: bigint, scale: number): { value: number; lost: ReturnType<typeof lostDigits> } {
  const whole = Number(unscaled);
  if (Number.isSafeInteger(whole) && scale >= 0 && scale <= mostExactPower) {
    return { value: whole / 10 ** scale, lost: undefined };
  }
  const text = decimalText(unscaled, scale);
  const value = Number(text);
  return { value, lost: lostDigits(text, value) };
}
