import { describe, expect, it } from "vitest";
import { readCookie } from "./browser-sessions.ts";

describe("readCookie", () => {
  it("finds the session among other cookies", () => {
    expect(readCookie("a=1; aimass_session=x%2Fy; b=2")).toBe("x/y");
  });

  it("takes a missing, empty or malformed cookie for none", () => {
    for (const header of [
      undefined,
      "",
      "aimass_session=",
      "aimass_session",
      "other_aimass_session=1",
      "aimass_session=%E0%A4%A",
    ]) {
      expect(readCookie(header)).toBeUndefined();
    }
  });
});
