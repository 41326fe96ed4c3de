import { AsyncLocalStorage } from "node:async_hooks";

const storage = new AsyncLocalStorage<string>();

/** The trace context of the work this code runs for; undefined outside of any. */
export function currentTraceparent(): string | undefined {
  return storage.getStore();
}

/** Runs `work` so that it, and what it awaits, finds `traceparent` as its trace context. */
export function withTraceparent<T>(traceparent: string, work: () => T): T {
  return storage.run(traceparent, work);
}
