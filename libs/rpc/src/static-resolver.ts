import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { type Address, formatAddress, nextTurn, parseAddress } from "@aimass/core";
import { experimental, Metadata, status } from "@grpc/grpc-js";

const scheme = "aimass";

/** The channel target for a fixed list of addresses. */
export function staticTarget(addresses: readonly Address[]): string {
  registerOnce();
  return `${scheme}:///${addresses.map(formatAddress).join(",")}`;
}

let registered = false;

function registerOnce(): void {
  if (registered) return;
  registered = true;
  experimental.registerResolver(scheme, StaticResolver);
}

/**
 * Resolves a fixed list of addresses, of which some may be host names with several machines behind them. grpc-js has resolvers for one name or for many
 * IP addresses, none for many names.
 */
class StaticResolver implements experimental.Resolver {
  readonly #addresses: readonly Address[];
  readonly #listener: experimental.ResolverListener;
  #resolving = false;
  #destroyed = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(target: experimental.GrpcUri, listener: experimental.ResolverListener) {
    this.#addresses = target.path
      .replace(/^\//, "")
      .split(",")
      .map(parseAddress)
      .filter((address) => address !== undefined);
    this.#listener = listener;
  }

  static getDefaultAuthority(target: experimental.GrpcUri): string {
    return target.path.replace(/^\//, "").split(",")[0] ?? "aimass";
  }

  updateResolution(): void {
    if (this.#resolving) return;
    this.#resolving = true;
    this.#destroyed = false;
    void this.#resolve().finally(() => {
      this.#resolving = false;
    });
  }

  destroy(): void {
    this.#destroyed = true;
    clearTimeout(this.#retry);
  }

  async #resolve(): Promise<void> {
    const found = (await Promise.all(this.#addresses.map(resolveAddress))).flat();
    // The contract: never call the listener synchronously, nor after destroy.
    await nextTurn();
    if (this.#destroyed) return;
    if (found.length > 0) {
      const endpoints = found.map((address) => ({ addresses: [address] }));
      this.#listener(experimental.statusOrFromValue(endpoints), {}, null, "");
      return;
    }
    const details = `None of the names ${this.#addresses.map(formatAddress).join(", ")} resolves.`;
    const failure = { code: status.UNAVAILABLE, details, metadata: new Metadata() };
    this.#listener(experimental.statusOrFromError(failure), {}, null, "");
    this.#retry = setTimeout(() => this.updateResolution(), 1000);
    this.#retry.unref();
  }
}

async function resolveAddress(address: Address): Promise<Address[]> {
  if (isIP(address.host) !== 0) return [address];
  try {
    const found = await lookup(address.host, { all: true });
    return found.map(({ address: host }) => ({ host, port: address.port }));
  } catch {
    return [];
  }
}
