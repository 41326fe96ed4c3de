import type { UnaryRequest } from "@aimass/h2";
import type { VersionRoutes } from "../routes/model-routes.ts";
import type { ReplicaCall } from "./call.ts";
import type { CallMeans } from "./call-means.ts";
import { formatGrpcTimeout } from "./deadline.ts";

/** A call as a replica gets it: the body as it came, the remaining deadline, and the headers that only a router may set. */
export function replicaRequest(
  means: Pick<CallMeans, "clock" | "identity">,
  call: ReplicaCall,
  routes: VersionRoutes,
  attempt: number,
): UnaryRequest {
  const { caller } = call;
  const remainingMs = Math.max(1, caller.deadlineAt - means.clock.monotonic());
  return {
    path: call.path(routes),
    headers: {
      ...call.headers,
      te: "trailers",
      "grpc-timeout": formatGrpcTimeout(remainingMs),
      traceparent: caller.traceparent,
      "aimass-service": means.identity.token(),
      "aimass-principal": caller.principal.id,
      "aimass-model": routes.model,
      "aimass-version": routes.version,
      "aimass-attempt": String(attempt),
    },
    body: call.body,
    signal: caller.signal,
    timeoutMs: remainingMs,
  };
}
