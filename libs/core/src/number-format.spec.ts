import { describe, expect, it } from "vitest";
import { signProblem } from "./number-format.ts";

describe("the signs that numbers are written with", () => {
  it.each([
    [{}],
    [{ decimal: "", thousands: "" }],
    [{ decimal: ",", thousands: "." }],
    [{ decimal: ".", thousands: "," }],
    [{ decimal: ",", thousands: " " }],
    [{ decimal: "", thousands: "'" }],
    [{ thousands: "_" }],
  ])("are taken where they can be told apart: %j", (signs) => {
    expect(signProblem(signs)).toBeUndefined();
  });

  it.each([
    [{ decimal: ";" }, "decimal", '";" cannot stand before decimals.'],
    [{ decimal: ",", thousands: "," }, "thousands", '"," cannot stand between groups of digits.'],
    [{ thousands: "." }, "thousands", '"." cannot stand between groups of digits.'],
    [{ thousands: "''" }, "thousands", `"''" cannot stand between groups of digits.`],
  ])("are refused otherwise, with what would be right: %j", (signs, sign, message) => {
    expect(signProblem(signs)).toMatchObject({ sign, message, remedy: expect.stringMatching(/^Use a /) });
  });
});
