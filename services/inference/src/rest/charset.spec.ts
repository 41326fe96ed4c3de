import { AimassError } from "@aimass/core";
import { httpStatus } from "@aimass/oip";
import { describe, expect, it } from "vitest";
import { inUtf8 } from "./charset.ts";

const text = "name,city\n1,Zürich\n";
const little = Buffer.from(text, "utf16le");

const limit = 64 * 1024 * 1024;

async function refusal(body: Buffer, type: string, limitBytes = limit): Promise<AimassError> {
  const error = await inUtf8(body, type, limitBytes).catch((reason: unknown) => reason);
  return error instanceof AimassError ? error : expect.fail("it was read");
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
  ])("is read in it: %s", async (type, body) => {
    expect(Buffer.from(await inUtf8(body, type, limit)).toString()).toBe(text);
  });

  it("that is not read here is refused with those that are", async () => {
    const error = await refusal(Buffer.from(text), "text/csv; charset=shift_jis");
    expect(httpStatus(error)).toBe(415);
    expect(error.advice).toMatch(/"shift_jis".*utf-8.*utf-16le, utf-16be, iso-8859-1, latin1, windows-1252/);
  });

  it("that it is not in is refused", async () => {
    const cut = Buffer.concat([little, Buffer.of(0)]);
    expect((await refusal(cut, "text/csv; charset=utf-16le")).code).toBe("INVALID_ARGUMENT");
  });

  it("is read in pieces that end within a letter, up to the limit of a body", async () => {
    const long = "ab😀".repeat(1.5e6);
    const body = Buffer.concat([Buffer.from("x", "utf16le"), Buffer.from(long, "utf16le")]);
    const type = "text/csv; charset=utf-16le";
    expect(Buffer.from(await inUtf8(body, type, limit)).equals(Buffer.from(`x${long}`))).toBe(true);
    expect((await refusal(body, type, 1e6)).reason).toBe("BODY_TOO_LARGE");
  });
});
