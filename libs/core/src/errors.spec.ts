import { describe, expect, it } from "vitest";
import { codeOfHttpStatus } from "./errors.ts";

describe("an HTTP answer that failed", () => {
  it.each([
    [400, "INVALID_ARGUMENT"],
    [408, "DEADLINE_EXCEEDED"],
    [413, "INVALID_ARGUMENT"],
    [429, "RESOURCE_EXHAUSTED"],
    [500, "INTERNAL"],
    [502, "UNAVAILABLE"],
    [503, "UNAVAILABLE"],
    [507, "INTERNAL"],
  ])("with %i is %s", (status, code) => {
    expect(codeOfHttpStatus(status)).toBe(code);
  });
});
