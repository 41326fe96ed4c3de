import { abortError, type Clock } from "@aimass/core";

interface Alarm {
  readonly at: number;
  readonly order: number;
  readonly ring: () => void;
}

/** A clock that moves when the test says so. Starts at 2030-01-01T00:00:00Z. */
export class FakeClock implements Clock {
  #now: number;
  #elapsed = 0;
  #order = 0;
  readonly #alarms = new Set<Alarm>();

  constructor(now = Date.UTC(2030, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  /** How many timers and sleeps wait. */
  get pending(): number {
    return this.#alarms.size;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortError(signal));
      const onAbort = () => {
        this.#alarms.delete(alarm);
        reject(abortError(signal as AbortSignal));
      };
      const alarm = this.#add(ms, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  timer(ms: number, callback: () => void): Disposable {
    const alarm = this.#add(ms, callback);
    return { [Symbol.dispose]: () => this.#alarms.delete(alarm) };
  }

  /** Moves time on. Timers and sleeps come due in the order of their times; what each sets in motion runs before the next, so that a chain of sleeps is followed. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    await settle();
    for (let alarm = this.#next(end); alarm !== undefined; alarm = this.#next(end)) {
      this.#moveTo(Math.max(this.#elapsed, alarm.at));
      this.#alarms.delete(alarm);
      alarm.ring();
      await settle();
    }
    this.#moveTo(end);
  }

  /** Changes the time of day alone, as an administrator does; no timer comes due. */
  setNow(now: number): void {
    this.#now = now;
  }

  #add(ms: number, ring: () => void): Alarm {
    const alarm = { at: this.#elapsed + Math.max(0, ms), order: this.#order++, ring };
    this.#alarms.add(alarm);
    return alarm;
  }

  #next(end: number): Alarm | undefined {
    const due = [...this.#alarms].filter((alarm) => alarm.at <= end);
    return due.sort((a, b) => a.at - b.at || a.order - b.order)[0];
  }

  #moveTo(elapsed: number): void {
    this.#now += elapsed - this.#elapsed;
    this.#elapsed = elapsed;
  }
}

/** Lets promise callbacks run, several deep. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
