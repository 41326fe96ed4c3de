import { describe, expect, it } from "vitest";
import { ClientAddress, isAddressRange } from "./client-address.ts";

const proxies = new ClientAddress(["10.0.0.0/8", "fd00::/8", "192.0.2.1"]);

describe("the address of a client", () => {
  it.each([
    { name: "is the peer's without proxies", peer: "203.0.113.7", headers: {}, is: "203.0.113.7" },
    { name: "is the peer's on an IPv6 socket", peer: "::ffff:203.0.113.7", headers: {}, is: "203.0.113.7" },
    {
      name: "is not what a stranger says",
      peer: "203.0.113.7",
      headers: { "x-forwarded-for": "1.1.1.1" },
      is: "203.0.113.7",
    },
    {
      name: "is what a trusted proxy says",
      peer: "10.1.1.1",
      headers: { "x-forwarded-for": "203.0.113.7" },
      is: "203.0.113.7",
    },
    {
      name: "is the right-most that is no proxy, whatever its client wrote before",
      peer: "10.1.1.1",
      headers: { "x-forwarded-for": "1.1.1.1, 10.9.9.9, 203.0.113.7, 192.0.2.1" },
      is: "203.0.113.7",
    },
    {
      name: "is the first hop when all are proxies",
      peer: "10.1.1.1",
      headers: { "x-forwarded-for": "10.2.2.2" },
      is: "10.2.2.2",
    },
    {
      name: "is the proxy's when it says nonsense",
      peer: "10.1.1.1",
      headers: { "x-forwarded-for": "unknown" },
      is: "10.1.1.1",
    },
    {
      name: "may come with a port",
      peer: "10.1.1.1",
      headers: { "x-forwarded-for": "203.0.113.7:5000" },
      is: "203.0.113.7",
    },
    {
      name: "may come by Forwarded",
      peer: "fd00::1",
      headers: { forwarded: 'for=1.1.1.1, for="[2001:db8::7]:4711";proto=https' },
      is: "2001:db8::7",
    },
  ])("$name", ({ peer, headers, is }) => {
    expect(proxies.of({ remoteAddress: peer, headers: headers as Record<string, string> })).toBe(is);
  });

  it.each([
    { name: "is secure by the router's own TLS", peer: "203.0.113.7", isEncrypted: true, headers: {}, is: true },
    { name: "is not secure because a stranger says so", headers: { "x-forwarded-proto": "https" }, is: false },
    {
      name: "is secure when a trusted proxy says so",
      peer: "10.1.1.1",
      headers: { "x-forwarded-proto": "https" },
      is: true,
    },
    {
      name: "is what the nearest proxy says",
      peer: "10.1.1.1",
      headers: { "x-forwarded-proto": "https, http" },
      is: false,
    },
    { name: "is secure by Forwarded", peer: "10.1.1.1", headers: { forwarded: "for=1.1.1.1;proto=https" }, is: true },
    { name: "is not secure when nobody says so", peer: "10.1.1.1", headers: {}, is: false },
  ])("whose connection $name", ({ peer = "203.0.113.7", isEncrypted = false, headers, is }) => {
    expect(proxies.isSecure({ remoteAddress: peer, isEncrypted, headers: headers as Record<string, string> })).toBe(is);
  });

  it.each(["10.0.0.0/8", "::1", "fd00::/8"])("may be trusted as %s", (text) => expect(isAddressRange(text)).toBe(true));
  it.each(["10.0.0.0/33", "proxy", "10.0.0/8", "1.1.1.1/8/8", ""])("may not be trusted as %j", (text) =>
    expect(isAddressRange(text)).toBe(false),
  );
});
