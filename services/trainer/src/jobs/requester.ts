import { AimassError, type Clock } from "@aimass/core";
import type { PolicyStore, Principal } from "@aimass/identity";
import { callerOf, requireVerb } from "@aimass/rpc";
import type { HandlerContext } from "@connectrpc/connect";

/** Who wants a job. */
export interface Requester {
  readonly id: string;
  /** Throws when it may not do `verb` on `resource`. */
  readonly require: (verb: string, resource: string) => void;
}

/** Whoever calls. */
export function requesterOf(policy: PolicyStore, clock: Clock, context: HandlerContext): Requester {
  return {
    id: callerOf(context).principal.id,
    require: (verb, resource) => void requireVerb(context, policy, verb, resource, clock),
  };
}

/** A principal that is not there, by its rights as they are now. */
export function requesterFor(policy: PolicyStore, clock: Clock, principal: Principal): Requester {
  return {
    id: principal.id,
    require(verb, resource) {
      const decision = policy.policy.decide(principal, verb, resource, clock.now());
      if (decision.allowed) return;
      const message = `${principal.id} may not ${verb} on ${resource}: ${decision.reason}`;
      throw new AimassError("PERMISSION_DENIED", message, { reason: "ACCESS_DENIED" });
    },
  };
}
