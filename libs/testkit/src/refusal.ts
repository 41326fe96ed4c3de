import { AimassError } from "@aimass/core";
import { expect } from "vitest";

/** The error with which a call is refused; a call that succeeds, or fails with anything else, fails the test. */
export async function refusal(call: Promise<unknown>): Promise<AimassError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AimassError);
  return error as AimassError;
}
