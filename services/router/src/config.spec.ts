import { describe, expect, it } from "vitest";
import { readRouterConfig } from "./config.ts";

const required = {
  AIMASS_IDENTITY_FILE: "x",
  AIMASS_TRUST_FILE: "x",
  AIMASS_AUTH_ADDRESSES: "127.0.0.1:1",
  AIMASS_SCHEDULER_ADDRESSES: "127.0.0.1:1",
};

describe("readRouterConfig()", () => {
  it.each(["AIMASS_TLS_KEY", "AIMASS_TLS_CERT"])("refuses half of what TLS needs: %s alone", (name) => {
    const missing = name === "AIMASS_TLS_KEY" ? "AIMASS_TLS_CERT" : "AIMASS_TLS_KEY";
    expect(() => readRouterConfig({ ...required, [name]: "PEM" })).toThrowError(`${missing} is not set`);
  });

  it("serves clear text where TLS is not mentioned, and TLS with both", () => {
    expect(readRouterConfig(required).tls).toBeUndefined();
    const both = { AIMASS_TLS_KEY: "k", AIMASS_TLS_CERT: "c" };
    expect(readRouterConfig({ ...required, ...both }).tls).toEqual({ key: "k", cert: "c" });
  });
});
