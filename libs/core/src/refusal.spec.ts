import { expect, it } from "vitest";
import { AimassError } from "./errors.ts";
import { fromRefusal, toRefusal } from "./refusal.ts";

it("says the same on the other side of a thread", () => {
  const facts = { reason: "BUSY", field: "x", remedy: "Wait.", retryAfterMs: 500 };
  const error = new AimassError("RESOURCE_EXHAUSTED", "There is no room.", facts);
  const told = fromRefusal(structuredClone(toRefusal(error)));
  expect({ ...told, message: told.message }).toEqual({ ...error, message: error.message });
});
