import type { BodyMeter } from "@aimass/h2";

/** Share of all received bytes that one caller may hold. */
const principalShare = 0.5;

/** Bounds the memory of request bodies, those still arriving included: of all callers, and of each. */
export class ReceivedBytes {
  readonly #limitBytes: number;
  readonly #byPrincipal = new Map<string, number>();
  #total = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get totalBytes(): number {
    return this.#total;
  }

  /** Counts one caller's bodies. */
  of(principalId: string): BodyMeter {
    return {
      add: (bytes) => {
        const own = (this.#byPrincipal.get(principalId) ?? 0) + bytes;
        if (this.#total + bytes > this.#limitBytes || own > this.#limitBytes * principalShare) return false;
        this.#total += bytes;
        this.#byPrincipal.set(principalId, own);
        return true;
      },
      remove: (bytes) => {
        this.#total -= bytes;
        const own = (this.#byPrincipal.get(principalId) ?? 0) - bytes;
        if (own > 0) this.#byPrincipal.set(principalId, own);
        else this.#byPrincipal.delete(principalId);
      },
    };
  }
}
