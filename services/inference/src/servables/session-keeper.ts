import { Semaphore } from "@aimass/core";
import type { SessionOptions } from "../slots/open-model.ts";
import type { SlotSession } from "../slots/slot.ts";
import type { SlotPool } from "../slots/slot-pool.ts";
import { EvictionOrder } from "./eviction-order.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { Servable } from "./servable.ts";

/** What is known of a version's sessions before they are made. */
export interface SessionNeeds {
  /** Whether they get threads of their own. */
  readonly isApart: boolean;
  /** What one takes, in bytes. */
  readonly sessionBytes: number;
}

/** What a load cost. */
export interface OpenSessions {
  readonly sessions: readonly SlotSession[];
  readonly openMicros: number;
  /** What is set aside for all of them, in bytes. */
  readonly memoryBytes: number;
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

  /** How the sessions of a servable's graph are made. */
  optionsOf({ plan, awaitsVerdict: analysesRows }: Servable, path: string): SessionOptions {
    const isDerived = plan.isAdapted || [...plan.inputs, ...plan.outputs].some((tensor) => tensor.datatype === "BF16");
    const executionProviders = this.#executionProviders;
    return { path, threads: plan.threads, isDerived, analysesRows, executionProviders };
  }

  /** Memory that each session of a servable could have here, if everyone on demand gave way: of the budget, and of the machine. */
  availableFor(servable: Servable): number {
    return Math.min(this.#memory.availableFor(servable), process.availableMemory()) / this.#sessionsOf(servable);
  }

  /** Sets aside what the registry says that a servable needs, before it is measured. Rejects with RESOURCE_EXHAUSTED. */
  foresee(servable: Servable): Promise<void> {
    return this.#reserve(servable, expectedBytes(servable, this.#sessionsOf(servable)));
  }

  /** Lets go of what was set aside. */
  forgo(servable: Servable): void {
    this.#memory.release(servable);
  }

  /** Makes the sessions of the graph at `path`. Rejects with RESOURCE_EXHAUSTED (no room, whoever is put aside) or the runtime's words, nothing kept. */
  async open(servable: Servable, path: string, { isApart, sessionBytes }: SessionNeeds): Promise<OpenSessions> {
    const { plan } = servable;
    const wish = { isApart, instances: plan.instances };
    const count = this.#pool.sessionsOf(wish);
    const memoryBytes = Math.max(expectedBytes(servable, count), sessionBytes * count);
    await this.#reserve(servable, memoryBytes);
    const startedAt = performance.now();
    const sessions: SlotSession[] = [];
    try {
      const options = this.optionsOf(servable, path);
      for (const slot of this.#pool.choose(wish)) {
        sessions.push(await slot.load(plan.name, options, plan.runLimitMs));
      }
      return { sessions, memoryBytes, openMicros: Math.round((performance.now() - startedAt) * 1000) };
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

  #sessionsOf({ plan }: Servable): number {
    return this.#pool.sessionsOf({ isApart: false, instances: plan.instances });
  }

  #reserve(servable: Servable, bytes: number): Promise<void> {
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

/** What `sessions` sessions of a servable will take as far as it is known: what they took here, what the registry's trial took, or what its files weigh. */
export function expectedBytes({ plan, facts }: Servable, sessions: number): number {
  if (facts !== undefined) return facts.memoryBytes;
  return (plan.probedMemoryBytes > 0 ? plan.probedMemoryBytes : plan.fileBytes) * sessions;
}
