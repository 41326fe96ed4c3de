import { describe, expect, it } from "vitest";
import { natsAddress } from "./nats-address.ts";

describe("NATS_URL", () => {
  it.each([
    ["nats://127.0.0.1:4222", { servers: ["127.0.0.1:4222"] }],
    ["127.0.0.1:4222", { servers: ["127.0.0.1:4222"] }],
    ["nats://a:4222, nats://b:4222", { servers: ["a:4222", "b:4222"] }],
    ["nats://ada:p%40ss@a:4222", { servers: ["a:4222"], user: "ada", pass: "p@ss" }],
    ["nats://token@a:4222", { servers: ["a:4222"], token: "token" }],
    ["tls://a:4222", { servers: ["a:4222"], tls: {} }],
  ])("%s", (text, expected) => {
    expect(natsAddress(text)).toEqual(expected);
  });

  it("says what an address looks like", () => {
    expect(() => natsAddress("nats://")).toThrow("127.0.0.1:4222");
  });
});
