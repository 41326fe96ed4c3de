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

  it.each([
    ["AIMASS_RETRY_BODY_BYTES", 4096, "AIMASS_RETRY_BODIES_BYTES", 2048],
    ["AIMASS_MAX_MESSAGE_BYTES", 4096, "AIMASS_MAX_RECEIVED_BYTES", 4096],
    ["AIMASS_MAX_IN_FLIGHT_PER_PRINCIPAL", 9, "AIMASS_MAX_IN_FLIGHT", 8],
    ["AIMASS_HELD_CALLS", 9, "AIMASS_MAX_IN_FLIGHT", 8],
    ["AIMASS_HOLD_MS", 9, "AIMASS_DEFAULT_TIMEOUT_MS", 8],
    ["AIMASS_MAX_IDLE_CONNECTIONS_PER_ADDRESS", 9, "AIMASS_MAX_IDLE_CONNECTIONS", 8],
    ["AIMASS_MAX_ANONYMOUS_STREAMS_PER_ADDRESS", 9, "AIMASS_MAX_ANONYMOUS_STREAMS", 8],
  ])("refuses %s of %i with %s of %i", (smaller, small, larger, large) => {
    const env = { ...required, [smaller]: String(small), [larger]: String(large) };
    expect(() => readRouterConfig(env)).toThrowError(`${smaller} is ${small} and ${larger} is ${large}; `);
    expect(readRouterConfig({ ...env, [larger]: String(small * 2) })).toBeDefined();
  });

  it("refuses a port that two listeners are given", () => {
    const env = { ...required, AIMASS_ADMIN_LISTEN: "127.0.0.1:8000" };
    expect(() => readRouterConfig(env)).toThrowError("which is one port");
  });

  it("serves clear text where TLS is not mentioned, and TLS with both", () => {
    expect(readRouterConfig(required).tls).toBeUndefined();
    const both = { AIMASS_TLS_KEY: "k", AIMASS_TLS_CERT: "c" };
    expect(readRouterConfig({ ...required, ...both }).tls).toEqual({ key: "k", cert: "c" });
  });
});
