import type { AuthStore, AuthTransaction } from "../database.ts";

/** The channel on which processes tell each other of a new version. */
export const policyChannel = "auth_policy";

/** A change of the policy while it is made. */
export interface PolicyChange {
  readonly tx: AuthTransaction;
  /** Names a fact that this change makes, alters or removes (`policyEntryKey`). Without any, the version stays. */
  touch(key: string): void;
}

/** What a change came to. */
export interface Changed<T> {
  readonly value: T;
  /** The policy version that carries it. */
  readonly version: bigint;
  readonly epoch: string;
  /** False: nothing of the policy changed, and the version is the one before. */
  readonly touched: boolean;
}

/** Makes changes, one after the other over all processes: each transaction that touches facts is one version. */
export class PolicyWriter {
  readonly store: AuthStore;
  readonly #onChanged: () => void;

  constructor(store: AuthStore, onChanged: () => void = () => {}) {
    this.store = store;
    this.#onChanged = onChanged;
  }

  /** Runs `work` in a transaction that holds the policy's version row. May run it again after a conflict. */
  async change<T>(work: (change: PolicyChange) => Promise<T>): Promise<Changed<T>> {
    const changed = await this.store.withTransaction(async (tx) => {
      const state = await tx.selectFrom("policy_state").selectAll().forUpdate().executeTakeFirstOrThrow();
      const keys = new Set<string>();
      const value = await work({ tx, touch: (key) => keys.add(key) });
      const version = keys.size === 0 ? BigInt(state.version) : await this.#bump(tx, BigInt(state.version) + 1n, keys);
      return { value, version, epoch: state.epoch, touched: keys.size > 0 };
    });
    if (changed.touched) this.#onChanged();
    return changed;
  }

  async #bump(tx: AuthTransaction, next: bigint, keys: ReadonlySet<string>): Promise<bigint> {
    const version = next.toString();
    await tx.updateTable("policy_state").set({ version }).execute();
    await tx
      .insertInto("policy_change")
      .values([...keys].map((key) => ({ version, key })))
      .execute();
    await this.store.notify(tx, policyChannel, version);
    return next;
  }
}
