import type { Address, Clock } from "@aimass/core";
import { Upstream } from "@aimass/h2";
import { WaitingRoom } from "../pipeline/waiting-room.ts";

const maxWaiting = 1000;

/** The processes of one service: calls go round over those that are up. */
export class Backend {
  readonly upstreams: readonly Upstream[];
  readonly #room: WaitingRoom;
  #next = 0;

  constructor(addresses: readonly Address[], clock: Clock) {
    this.#room = new WaitingRoom(clock, maxWaiting);
    // Slower PINGs than towards replicas: a control plane may be busy for a while, and its calls are not sent twice.
    const limits = { pingIntervalMs: 1000, pingTimeoutMs: 2000, deadAfterMs: 10_000 };
    this.upstreams = addresses.map((address) => new Upstream({ address, clock, ...limits }));
    for (const upstream of this.upstreams) upstream.onState(() => this.#room.wake());
  }

  /** The next process that is up, of those not tried. */
  pick(tried: ReadonlySet<Upstream>): Upstream | undefined {
    const { length } = this.upstreams;
    for (let i = 0; i < length; i++) {
      const upstream = this.upstreams[(this.#next + i) % length] as Upstream;
      if (upstream.state !== "ready" || tried.has(upstream)) continue;
      this.#next = (this.#next + i + 1) % length;
      return upstream;
    }
    return undefined;
  }

  /** Waits for a process to come up, or go. False when too many wait. */
  wait(ms: number, signal: AbortSignal): Promise<boolean> {
    return this.#room.wait(ms, signal);
  }

  close(): void {
    for (const upstream of this.upstreams) upstream.close();
  }
}
