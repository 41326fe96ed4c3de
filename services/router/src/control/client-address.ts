import { BlockList, isIP } from "node:net";
import type { ServerCall } from "@aimass/h2";

/** Tells whose address a call came from and whether by TLS, through proxies that are trusted to say so and none besides. */
export class ClientAddress {
  readonly #trusted = new BlockList();

  /** Addresses, or ranges such as "10.0.0.0/8". */
  constructor(trustedProxies: readonly string[]) {
    for (const range of trustedProxies) addRange(this.#trusted, range);
  }

  /** The right-most hop that is no trusted proxy: what stands left of it was written by strangers. */
  of(call: Pick<ServerCall, "remoteAddress" | "headers">): string {
    let address = plainAddress(call.remoteAddress);
    for (const hop of hopsOf(call.headers).toReversed()) {
      if (!this.#isTrusted(address)) return address;
      const named = plainAddress(hop);
      if (isIP(named) === 0) return address;
      address = named;
    }
    return address;
  }

  /** Whether the client came by TLS: to the router itself, or to a trusted proxy that says so. */
  isSecure(call: Pick<ServerCall, "remoteAddress" | "headers" | "isEncrypted">): boolean {
    return call.isEncrypted || (this.isProxy(call.remoteAddress) && protoOf(call.headers) === "https");
  }

  /** Whether a peer is a proxy that is trusted to say whose calls it brings. */
  isProxy(peer: string): boolean {
    return this.#isTrusted(plainAddress(peer));
  }

  #isTrusted(address: string): boolean {
    const family = isIP(address);
    return family !== 0 && this.#trusted.check(address, family === 6 ? "ipv6" : "ipv4");
  }
}

/** Whether a text is an address or a range of them. */
export function isAddressRange(text: string): boolean {
  const [address = "", bits, ...more] = text.split("/");
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32));
}

function addRange(list: BlockList, range: string): void {
  const [address = "", bits] = range.split("/");
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  if (bits === undefined) list.addAddress(address, family);
  else list.addSubnet(address, Number(bits), family);
}

/** The hops that X-Forwarded-For names, else those of Forwarded (RFC 7239), nearest last. */
function hopsOf(headers: ServerCall["headers"]): string[] {
  const listed = headers["x-forwarded-for"];
  if (listed !== undefined) return listed.split(",").map((hop) => hop.trim());
  const forwarded = headers.forwarded?.split(",") ?? [];
  return forwarded.flatMap((hop) => /(?:^|;)\s*for=("[^"]*"|[^;\s]*)/i.exec(hop)?.[1]?.replaceAll('"', "") ?? []);
}

/** What the nearest proxy says it was reached by: X-Forwarded-Proto, else Forwarded. */
function protoOf(headers: ServerCall["headers"]): string | undefined {
  const listed = headers["x-forwarded-proto"];
  if (listed !== undefined) return listed.split(",").at(-1)?.trim().toLowerCase();
  const hop = headers.forwarded?.split(",").at(-1) ?? "";
  return /(?:^|;)\s*proto="?([a-z]+)/i.exec(hop)?.[1]?.toLowerCase();
}

/** Without port, brackets, zone, and the form that IPv4 has on an IPv6 socket. */
function plainAddress(text: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1];
  const bare = bracketed ?? (/^[\d.]+:\d+$/.test(text) ? (text.split(":")[0] as string) : text);
  return bare.replace(/%.*$/, "").replace(/^::ffff:(?=\d+\.)/i, "");
}
