import { AimassError } from "@aimass/core";
import type { ServableState } from "./servable-state.ts";

/** Why a servable does not run a request. `key` is its version's. */

export function notLoaded(key: string, state: ServableState): AimassError {
  const why = state.kind === "failed" ? `failed: ${state.reason}` : `is ${state.kind}`;
  return new AimassError("UNAVAILABLE", `${key} is not loaded here; it ${why}.`, { reason: "NOT_LOADED" });
}

/** `perRequestMs` is what a request has taken so far: the whole queue takes as many times that. */
export function queueFull(key: string, limit: number, perRequestMs: number): AimassError {
  return new AimassError("RESOURCE_EXHAUSTED", `The queue of ${key} is full (${limit} requests).`, {
    reason: "QUEUE_FULL",
    retryAfterMs: Math.min(5000, Math.max(10, Math.round(perRequestMs * limit))),
    remedy: "Try again after the delay, or deploy more replicas.",
  });
}

export function queueTimeout(key: string, waitedMs: number): AimassError {
  return new AimassError(
    "DEADLINE_EXCEEDED",
    `The deadline passed after ${Math.round(waitedMs)} ms in the queue of ${key}.`,
    { reason: "QUEUE_TIMEOUT" },
  );
}

export function givenUp(): AimassError {
  return new AimassError("CANCELLED", "The caller gave up before the run began.", { reason: "CALLER_GONE" });
}
