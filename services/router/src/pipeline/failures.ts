import { AimassError } from "@aimass/core";
import { type ModelRoutes, publicName, type VersionRoutes } from "../routes/model-routes.ts";

export function deadlinePassed(): AimassError {
  return new AimassError("DEADLINE_EXCEEDED", "The deadline passed before the model answered.");
}

/** No replica came up in time. */
export function noReplica(model: ModelRoutes, routes: VersionRoutes): AimassError {
  const why = routes.unavailableReason === "" ? "No replica that holds it can be reached." : routes.unavailableReason;
  return new AimassError(
    "UNAVAILABLE",
    `Model "${publicName(model)}" version ${routes.version} cannot answer now: ${why}`,
    {
      reason: "NO_REPLICA",
      remedy: "Try again; `aimass status` shows the state of the replicas.",
      retryAfterMs: 1000,
    },
  );
}

/** What was under way went with its replica. */
export function replicaLost(why: string): AimassError {
  const message =
    why === "two-replicas-lost"
      ? "Two replicas were lost while this request ran on them; it is not sent to a third."
      : "The replica was lost during the call, and the call could not be repeated.";
  return new AimassError("UNAVAILABLE", message, { reason: "REPLICA_LOST", retryAfterMs: 500 });
}
