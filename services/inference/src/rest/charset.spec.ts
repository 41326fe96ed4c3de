import { AimassError } from "@aimass/core";
import { httpStatus } from "@aimass/oip";
import { describe, expect, it } from "vitest";
import { inUtf8 } from "./charset.ts";

const text = "name,city\n1,Zürich\n";
const little = Buffer.from(text, "utf16le");

function refusal(body: Buffer, type: string): AimassError {
  try {
    inUtf8(body, type);
  } catch (error) {
    if (error instanceof AimassError) return error;
  }
  return expect.fail("it was read");
}

describe("a body whose content type names a charset", () => {
  it.each<[string, Buffer]>([
    ["text/csv", Buffer.from(text)],
    ["text/csv; charset=utf-8", Buffer.from(text)],
    ['text/csv;charset="UTF-8"; header=present', Buffer.from(text)],
    ["text/csv; charset=utf-16le", little],
    ["text/csv; header=present; Charset=UTF-16LE", little],
    ["text/csv; charset=utf-16le", Buffer.from(`\ufeff${text}`, "utf16le")],
    ["text/csv; charset=utf-16be", Buffer.from(little).swap16()],
    ["text/csv; charset=latin1", Buffer.from(text, "latin1")],
    ["text/csv; charset=ISO-8859-1", Buffer.from(text, "latin1")],
    ["text/csv; charset=windows-1252", Buffer.from(text, "latin1")],
  ])("is read in it: %s", (type, body) => {
    expect(Buffer.from(inUtf8(body, type)).toString()).toBe(text);
  });

  it("that is not read here is refused with those that are", () => {
    const error = refusal(Buffer.from(text), "text/csv; charset=shift_jis");
    expect(httpStatus(error)).toBe(415);
    expect(error.advice).toMatch(/"shift_jis".*utf-8.*utf-16le, utf-16be, iso-8859-1, latin1, windows-1252/);
  });

  it("that it is not in is refused", () => {
    expect(refusal(Buffer.concat([little, Buffer.of(0)]), "text/csv; charset=utf-16le").code).toBe("INVALID_ARGUMENT");
  });
});
