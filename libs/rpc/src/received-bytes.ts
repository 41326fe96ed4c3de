import type { BodyMeter } from "@aimass/h2";
import { anonymous } from "@aimass/identity";

/** Share of all received bytes that one caller may hold, and that all callers without a credential may hold together. */
const principalShare = 1 / 2;
const anonymousShare = 1 / 8;

/** Bounds the memory of request bodies, those still arriving and those decompressed included: of all callers, and of each. */
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
    const ownLimit = this.#limitBytes * (principalId === anonymous.id ? anonymousShare : principalShare);
    return {
      add: (bytes) => {
        const own = (this.#byPrincipal.get(principalId) ?? 0) + bytes;
        if (this.#total + bytes > this.#limitBytes || own > ownLimit) return false;
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
