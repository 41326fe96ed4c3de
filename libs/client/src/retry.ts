import { AimassError } from "@aimass/core/errors";
import { errorOf } from "./errors.ts";

/** How calls that a mesh cannot take at the moment are tried again. */
export interface RetryOptions {
  /** Tries of one call, the first included. Default: 6. */
  readonly attempts?: number;
  /** Numbers in [0, 1) that spread the waits. Default: Math.random. */
  readonly random?: () => number;
}

const firstWaitMs = 100;
const longestWaitMs = 2000;

/**
 * Makes a call that may be repeated without harm, and again while it is UNAVAILABLE, after waits that double from 0.1 s to 2 s and are drawn at random below
 * that, or the one that the mesh asks for. Rejects with an AimassError.
 */
export async function retried<T>(once: () => Promise<T>, options: RetryOptions, signal?: AbortSignal): Promise<T> {
  const { attempts = 6, random = Math.random } = options;
  for (let attempt = 1, waitMs = firstWaitMs; ; attempt++, waitMs = Math.min(2 * waitMs, longestWaitMs)) {
    try {
      return await once();
    } catch (thrown) {
      const error = errorOf(thrown);
      if (error.code !== "UNAVAILABLE" || attempt >= attempts) throw error;
      await wait(error.retryAfterMs ?? waitMs * random(), signal);
    }
  }
}

function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(AimassError.from(signal?.reason));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}
