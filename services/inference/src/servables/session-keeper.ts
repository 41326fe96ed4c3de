import { Semaphore } from "@aimass/core";
import type { SlotSession } from "../slots/slot.ts";
import type { SlotPool } from "../slots/slot-pool.ts";
import { EvictionOrder } from "./eviction-order.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { Servable } from "./servable.ts";

/** What a load cost. */
export interface OpenSessions {
  readonly sessions: readonly SlotSession[];
  readonly openMicros: number;
}

/** Puts servables into memory and takes them out again. Within the replica's budget: those on demand are put aside for others. */
export class SessionKeeper {
  readonly #pool: SlotPool;
  readonly #memory: MemoryBudget;
  readonly #executionProviders: readonly string[];
  readonly #onEvicted: (servable: Servable) => void;
  readonly #order = new EvictionOrder<Servable>();
  /** One at a time makes room, so that two do not take the same. */
  readonly #makingRoom = new Semaphore(1);

  constructor(options: {
    pool: SlotPool;
    memory: MemoryBudget;
    executionProviders: readonly string[];
    /** Hears of a servable that was put aside. */
    onEvicted: (servable: Servable) => void;
  }) {
    this.#pool = options.pool;
    this.#memory = options.memory;
    this.#executionProviders = options.executionProviders;
    this.#onEvicted = options.onEvicted;
  }

  /** Makes the sessions of the graph at `path`. Rejects with RESOURCE_EXHAUSTED (no room, whoever is put aside) or the runtime's words, nothing kept. */
  async open(servable: Servable, path: string): Promise<OpenSessions> {
    const { plan } = servable;
    await this.#reserve(servable);
    const startedAt = performance.now();
    const sessions: SlotSession[] = [];
    try {
      const hasBfloat16 = [...plan.inputs, ...plan.outputs].some((tensor) => tensor.datatype === "BF16");
      const options = { path, threads: plan.threads, hasBfloat16, executionProviders: this.#executionProviders };
      for (const slot of this.#pool.choose(plan.fileBytes, plan.instances)) {
        sessions.push(await slot.load(plan.name, options, plan.runLimitMs));
      }
      return { sessions, openMicros: Math.round((performance.now() - startedAt) * 1000) };
    } catch (error) {
      await this.#release(sessions);
      this.#memory.release(servable);
      throw error;
    }
  }

  /** Notes what an open servable takes and that it was used. */
  used(servable: Servable): void {
    const { facts } = servable;
    if (facts === undefined || !servable.isResident) return;
    if (servable.onDemand) this.#order.use(servable, facts.openMicros, Math.max(1, facts.memoryBytes));
    else this.#order.forget(servable);
  }

  /** Frees sessions of a servable that nothing runs on any more. */
  async close(servable: Servable, sessions: readonly SlotSession[]): Promise<void> {
    this.#order.forget(servable);
    await this.#release(sessions);
    this.#memory.release(servable);
  }

  #reserve(servable: Servable): Promise<void> {
    const bytes = expectedBytes(servable);
    return this.#makingRoom.run(async () => {
      while (!this.#memory.fits(servable, bytes)) {
        const other = this.#order.take((candidate) => candidate.pending === 0) ?? this.#order.take(() => true);
        if (other === undefined) break;
        await this.#putAside(other);
      }
      this.#memory.reserve(servable, bytes);
    });
  }

  /** What it runs, it finishes; what waits for it brings it back in its turn. */
  async #putAside(servable: Servable): Promise<void> {
    const sessions = servable.putAside();
    await servable.runsDone();
    await this.close(servable, sessions);
    this.#onEvicted(servable);
    servable.demandAgain();
  }

  async #release(sessions: readonly SlotSession[]): Promise<void> {
    for (const session of sessions) {
      await session.slot.release(session);
      await this.#pool.giveBack(session.slot);
    }
  }
}

/** What a servable will take as far as it is known: what it took here, what the registry's trial took, or what its files weigh. */
export function expectedBytes({ plan, facts }: Servable): number {
  if (facts !== undefined) return facts.memoryBytes;
  return (plan.probedMemoryBytes > 0 ? plan.probedMemoryBytes : plan.fileBytes) * plan.instances;
}
