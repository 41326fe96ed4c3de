import type { Clock } from "@aimass/core";
import type { ServiceIdentity } from "@aimass/identity";
import type { Logger } from "@aimass/telemetry";

/** Least time between two lines about one peer. */
const logEveryMs = 1000;
const maxPeers = 1000;

/** Peers of the mesh that refused this router's service token: a fault in the mesh, of which the log is told and the client is not. */
export class RefusedTokens {
  readonly #identity: ServiceIdentity;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #loggedAt = new Map<string, number>();

  constructor(options: { identity: ServiceIdentity; clock: Clock; log: Logger }) {
    this.#identity = options.identity;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Drops the token, so that the next try brings a fresh one. */
  note(peer: string): void {
    this.#identity.dropToken();
    const now = this.#clock.monotonic();
    if (now - (this.#loggedAt.get(peer) ?? Number.NEGATIVE_INFINITY) < logEveryMs) return;
    if (this.#loggedAt.size >= maxPeers) this.#loggedAt.clear();
    this.#loggedAt.set(peer, now);
    this.#log.error("service token refused", { peer, remedy: "Compare the clocks of the machines." });
  }
}
