import { isIP } from "node:net";

/**
 * The names that a listener answers as, against DNS rebinding: a page of another site whose name was pointed here comes by that name. IP addresses and
 * localhost always work, since a rebound name is neither; "*" lets in any name.
 */
export class AllowedHosts {
  readonly #names: ReadonlySet<string>;

  constructor(names: readonly string[]) {
    this.#names = new Set(names.map((name) => name.toLowerCase()));
  }

  /** `authority` is what a request has as Host or `:authority`. */
  has(authority: string): boolean {
    if (this.#names.has("*")) return true;
    const host = hostOf(authority);
    return host === "localhost" || host.endsWith(".localhost") || isIP(host) !== 0 || this.#names.has(host);
  }
}

/** The host of "host:port", "[v6]:port" or "host", in lower case. */
export function hostOf(authority: string): string {
  if (authority.startsWith("[")) return authority.slice(1, Math.max(1, authority.indexOf("]"))).toLowerCase();
  const colon = authority.lastIndexOf(":");
  return (colon < 0 ? authority : authority.slice(0, colon)).toLowerCase();
}
