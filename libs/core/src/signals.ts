/** What a signal was aborted with, as an Error. */
export function abortError(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new DOMException("The operation was aborted.", "AbortError");
}

/** A signal that lives for one scope: dispose it to detach it from its parents and timers. */
export interface ScopedSignal extends Disposable {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}

/** A signal that aborts when any parent does, or when told to. */
export function linkedSignal(...parents: readonly (AbortSignal | undefined)[]): ScopedSignal {
  const controller = new AbortController();
  const detachers: (() => void)[] = [];
  for (const parent of parents) {
    if (parent === undefined) continue;
    if (parent.aborted) {
      controller.abort(parent.reason);
      break;
    }
    const onAbort = () => controller.abort(parent.reason);
    parent.addEventListener("abort", onAbort, { once: true });
    detachers.push(() => parent.removeEventListener("abort", onAbort));
  }
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    [Symbol.dispose]: () => {
      for (const detach of detachers) detach();
    },
  };
}

/** A signal that aborts with a TimeoutError after `ms`, or when a parent does. */
export function deadlineSignal(ms: number, ...parents: readonly (AbortSignal | undefined)[]): ScopedSignal {
  const linked = linkedSignal(...parents);
  const timeout = setTimeout(
    () => linked.abort(new DOMException(`The deadline of ${ms} ms passed.`, "TimeoutError")),
    Math.min(ms, 2 ** 31 - 1),
  );
  timeout.unref();
  return {
    ...linked,
    [Symbol.dispose]: () => {
      clearTimeout(timeout);
      linked[Symbol.dispose]();
    },
  };
}
