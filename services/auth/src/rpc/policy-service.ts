import type { PolicyService } from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import { callerOf } from "@aimass/rpc";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Enforcers } from "../policy/enforcers.ts";
import type { PolicyFeed } from "../policy/policy-feed.ts";

export interface PolicyServiceOptions {
  readonly feed: PolicyFeed;
  readonly enforcers: Enforcers;
}

export function createPolicyService({ feed, enforcers }: PolicyServiceOptions): ServiceImpl<typeof PolicyService> {
  return {
    async *watchPolicy({ enforcerId, epoch, version }, context) {
      assertEnforcer(enforcerId, context);
      await enforcers.acknowledge(enforcerId, { epoch, version });
      const stream = await feed.follow(enforcerId, { epoch, version });
      const leave = () => feed.unfollow(stream);
      context.signal.addEventListener("abort", leave, { once: true });
      try {
        if (context.signal.aborted) return;
        yield* stream;
      } finally {
        leave();
      }
    },
    async acknowledgePolicy({ enforcerId, epoch, version }, context) {
      assertEnforcer(enforcerId, context);
      await enforcers.acknowledge(enforcerId, { epoch, version });
      return {};
    },
  };
}

/** A service speaks for itself alone: nobody acknowledges for a router but that router. */
function assertEnforcer(enforcerId: string, context: HandlerContext): void {
  const { service, principal } = callerOf(context);
  // A router that calls in its own name has no principal: "anonymous". What it forwards for clients never comes here.
  if (principal.kind === "user" || principal.kind === "service-account") {
    throw new AimassError("PERMISSION_DENIED", "The policy feed is for services of the mesh.");
  }
  if (enforcerId.startsWith(`${service.role}/`) && enforcerId.length > service.role.length + 1) return;
  throw new AimassError("INVALID_ARGUMENT", `"${enforcerId.slice(0, 100)}" cannot name a ${service.role}.`, {
    field: "enforcer_id",
    remedy: `Begin it with "${service.role}/".`,
  });
}
