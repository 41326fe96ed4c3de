import { describe, expect, it } from "vitest";
import { createApiKey, credentialFromHeaders, parseApiKey } from "./credential.ts";

const headers = (fields: Record<string, string>) => credentialFromHeaders((name) => fields[name]);

describe("credentialFromHeaders()", () => {
  it("takes a bearer token in any letter case of the scheme, before an API key header", () => {
    expect(headers({ authorization: "bearer abc", "x-api-key": "aim_1" })?.text).toBe("abc");
    expect(headers({ "x-api-key": "aim_1" })?.text).toBe("aim_1");
  });
  it("is undefined without any credential", () => {
    expect(headers({})).toBeUndefined();
    expect(headers({ authorization: "" })).toBeUndefined();
  });
  it("refuses basic authentication instead of making the caller anonymous", () => {
    expect(() => headers({ authorization: "Basic YTpi" })).toThrowError(/scheme/);
  });
});

describe("parseApiKey()", () => {
  it("splits what createApiKey() makes", () => {
    const made = createApiKey();
    expect(parseApiKey(made.text)).toEqual({ id: made.id, secretSha256: made.secretSha256 });
  });
  it.each([
    "",
    "aim_",
    "aim_12_x",
    `aim_${"0".repeat(16)}_${"a".repeat(42)}`,
    `aim_${"0".repeat(16)}_${"a".repeat(44)}`,
  ])("refuses %j", (text) => expect(parseApiKey(text)).toBeUndefined());
});
