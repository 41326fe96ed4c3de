import { Breaker } from "./breaker.ts";
import { Latency } from "./latency.ts";
import type { Replica } from "./replica.ts";

/** A model version on a replica: what is known of how it answers there. */
export class Placement {
  readonly replica: Replica;
  /** The process that this is known of: another one starts afresh. */
  readonly incarnation: string;
  readonly latency = new Latency();
  readonly breaker = new Breaker();
  /** Calls of this version under way there. */
  inFlight = 0;

  constructor(replica: Replica) {
    this.replica = replica;
    this.incarnation = replica.incarnation;
  }

  /** Expected time of one more call: what power of two choices compares. */
  cost(now: number): number {
    return (this.replica.load(now) + 1) * this.latency.at(now);
  }
}
