import type { VersionName } from "../servables/version-name.ts";
import { Slot } from "./slot.ts";

/** How often slots are checked for a run that is stuck, in milliseconds, while any of them has something to do. */
const watchMs = 100;

/** What a version asks of the pool. */
export interface SlotWish {
  /** Whether it would hold up others on a shared thread. */
  readonly isApart: boolean;
  readonly instances: number;
}

/**
 * The slots of a replica. A session is made on the thread that will run it (ONNX Runtime's sessions cannot change threads), so a load holds up the runs of that
 * thread. Two things keep this harmless: loads go to the slot with the fewest sessions, so a new version lands beside the one it replaces rather than on it; and a
 * version whose load or runs take long gets slots of its own, which end with it.
 */
export class SlotPool implements AsyncDisposable {
  readonly #notePath: string;
  readonly #onDied: (error: Error) => void;
  readonly #onStuck: (version: VersionName) => void;
  readonly #shared: Slot[];
  readonly #dedicated = new Set<Slot>();
  #watch: NodeJS.Timeout | undefined;

  /** `size` shared slots. `onStuck` hears of a version whose run takes longer than it may; `onDied` of a thread that ended by itself. */
  constructor(options: {
    size: number;
    notePath: string;
    onStuck: (version: VersionName) => void;
    onDied: (error: Error) => void;
  }) {
    this.#notePath = options.notePath;
    this.#onDied = options.onDied;
    this.#onStuck = options.onStuck;
    this.#shared = Array.from({ length: options.size }, (_, i) => this.#create(i + 1));
  }

  get all(): readonly Slot[] {
    return [...this.#shared, ...this.#dedicated];
  }

  /** How many sessions a version gets. */
  sessionsOf({ isApart, instances }: SlotWish): number {
    return isApart ? instances : Math.min(this.#shared.length, Math.max(1, instances));
  }

  /** Slots for a version's sessions: of their own, or at most one session a shared slot, fewest sessions first. */
  choose({ isApart, instances }: SlotWish): readonly Slot[] {
    if (isApart) return Array.from({ length: instances }, () => this.#addDedicated());
    const byLoad = [...this.#shared].sort((a, b) => a.sessions - b.sessions || a.outstanding - b.outstanding);
    return byLoad.slice(0, this.sessionsOf({ isApart, instances }));
  }

  /** Takes a slot back after its session was released. */
  async giveBack(slot: Slot): Promise<void> {
    if (this.#dedicated.delete(slot)) await slot.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#watch);
    await Promise.all(this.all.map((slot) => slot.stop()));
  }

  #addDedicated(): Slot {
    const taken = new Set(this.all.map((slot) => slot.record));
    let record = this.#shared.length + 1;
    while (taken.has(record)) record += 1;
    const slot = this.#create(record);
    this.#dedicated.add(slot);
    return slot;
  }

  #create(record: number): Slot {
    const onBusy = () => {
      this.#watch ??= setInterval(() => this.#look(), watchMs).unref();
    };
    return new Slot({ notePath: this.#notePath, record, onDied: this.#onDied, onBusy });
  }

  #look(): void {
    const slots = this.all;
    const stuck = slots.map((slot) => slot.stuck(performance.now())).find((version) => version !== undefined);
    if (stuck !== undefined) this.#onStuck(stuck);
    if (slots.some(({ outstanding }) => outstanding > 0)) return;
    clearInterval(this.#watch);
    this.#watch = undefined;
  }
}
