import { AimassError } from "@aimass/core";

/** Devices of one job, until they are given back. */
export interface GpuLoan extends Disposable {
  /** As CUDA numbers them. */
  readonly gpus: readonly string[];
}

/** The devices of this trainer. Each is lent to one job at a time. */
export class GpuPool {
  /** How many there are. */
  readonly total: number;
  #idle: readonly string[];

  constructor(gpus: readonly string[]) {
    this.total = gpus.length;
    this.#idle = gpus;
  }

  /** How many are lent to nobody. */
  get free(): number {
    return this.#idle.length;
  }

  /** Lends so many of the free ones; none for a wish that can never be met, which the rules of scripts refuse. Errors: INTERNAL when too few are free. */
  lend(count: number): GpuLoan {
    if (count > this.total) return { gpus: [], [Symbol.dispose]: () => {} };
    if (count > this.free)
      throw new AimassError("INTERNAL", `${count} devices were to be lent, ${this.free} are free.`);
    const gpus = this.#idle.slice(0, count);
    this.#idle = this.#idle.slice(count);
    let isOut = true;
    return {
      gpus,
      [Symbol.dispose]: () => {
        if (isOut) this.#idle = [...gpus, ...this.#idle];
        isOut = false;
      },
    };
  }
}
