import type { Clock } from "@aimass/core";
import type { SchedulerStore, SchedulerTransaction } from "./database.ts";

/** fleet: what agents and replicas say. desired: what people want. decided: what the leader made of it. */
export type ChangeKind = "fleet" | "desired" | "decided";

const channel = "scheduler_changed";

/** Tells every scheduler process at once that something in the database changed; a slow tick covers what a broken connection misses. */
export class Changes implements AsyncDisposable {
  readonly #store: SchedulerStore;
  readonly #listeners = new Set<{ kinds: readonly ChangeKind[]; call: () => void }>();
  #listening: Disposable | undefined;

  private constructor(store: SchedulerStore) {
    this.#store = store;
  }

  static async listen(store: SchedulerStore): Promise<Changes> {
    const changes = new Changes(store);
    changes.#listening = await store.listen(channel, (payload) => changes.#dispatch(payload));
    return changes;
  }

  /** Tells all processes when the transaction commits. */
  tell(tx: SchedulerTransaction, kind: ChangeKind): Promise<void> {
    return this.#store.notify(tx, channel, kind);
  }

  /** Calls back after changes of these kinds, until disposed. */
  on(kinds: readonly ChangeKind[], call: () => void): Disposable {
    const listener = { kinds, call };
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listening?.[Symbol.dispose]();
  }

  /** An empty payload says that some may have been missed. */
  #dispatch(payload: string): void {
    for (const { kinds, call } of this.#listeners) if (payload === "" || kinds.some((kind) => kind === payload)) call();
  }
}

/**
 * Runs `work` at once, after every `wake`, and every `tickMs`, one at a time and until the signal aborts. Wakes during a run lead to one more.
 * The next turn tries again after a failure. `onFailure` hears of the first failure of a row alone: an outage is one line in a log, not thousands.
 */
export async function runOnChange(options: {
  readonly clock: Clock;
  /** Longest wait between two runs; asked after each. */
  readonly tickMs: number | (() => number);
  readonly signal: AbortSignal;
  readonly subscribe: (wake: () => void) => Disposable;
  readonly work: () => Promise<void>;
  readonly onFailure: (error: unknown) => void;
}): Promise<void> {
  const { clock, tickMs, signal, work, onFailure } = options;
  let isDue = true;
  let isFailing = false;
  let ring = () => {};
  const wake = () => {
    isDue = true;
    ring();
  };
  using _subscription = options.subscribe(wake);
  while (!signal.aborted) {
    if (!isDue)
      await napUntil(clock, typeof tickMs === "number" ? tickMs : tickMs(), signal, (wakeUp) => {
        ring = wakeUp;
      });
    if (signal.aborted) return;
    isDue = false;
    try {
      await work();
      isFailing = false;
    } catch (error) {
      if (!signal.aborted && !isFailing) onFailure(error);
      isFailing = true;
    }
  }
}

function napUntil(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  register: (wakeUp: () => void) => void,
): Promise<void> {
  return new Promise((resolve) => {
    const wakeUp = () => {
      timer[Symbol.dispose]();
      signal.removeEventListener("abort", wakeUp);
      resolve();
    };
    const timer = clock.timer(ms, wakeUp);
    signal.addEventListener("abort", wakeUp, { once: true });
    register(wakeUp);
  });
}
