import { anonymous } from "@aimass/identity";
import { refuseByQuota } from "./admission.ts";

/** Counts calls under way, of all callers and of each: no caller takes more than a share of the router. */
export class Quota {
  readonly #totalLimit: number;
  readonly #principalLimit: number;
  readonly #anonymousLimit: number;
  readonly #byPrincipal = new Map<string, number>();
  #total = 0;

  /** `anonymousLimit` is for all callers without a credential together; default: as for one caller. */
  constructor(options: { totalLimit: number; principalLimit: number; anonymousLimit?: number }) {
    this.#totalLimit = options.totalLimit;
    this.#principalLimit = options.principalLimit;
    this.#anonymousLimit = options.anonymousLimit ?? options.principalLimit;
  }

  get inFlight(): number {
    return this.#total;
  }

  /** Takes a place; every `enter` needs its `leave`. Throws RESOURCE_EXHAUSTED when a limit is reached. */
  enter(principalId: string): void {
    const own = this.#byPrincipal.get(principalId) ?? 0;
    const refusal = refuseByQuota({
      principalInFlight: own,
      principalLimit: principalId === anonymous.id ? this.#anonymousLimit : this.#principalLimit,
      totalInFlight: this.#total,
      totalLimit: this.#totalLimit,
    });
    if (refusal !== undefined) throw refusal;
    this.#total += 1;
    this.#byPrincipal.set(principalId, own + 1);
  }

  leave(principalId: string): void {
    this.#total -= 1;
    const own = (this.#byPrincipal.get(principalId) ?? 1) - 1;
    if (own === 0) this.#byPrincipal.delete(principalId);
    else this.#byPrincipal.set(principalId, own);
  }
}
