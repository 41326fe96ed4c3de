import type { RouteService } from "@aimass/api/scheduler";
import type { ServiceImpl } from "@connectrpc/connect";
import type { RouteFeed } from "../routes/route-feed.ts";

/** `aimass.scheduler.v1.RouteService`. */
export function createRouteService(feed: RouteFeed): ServiceImpl<typeof RouteService> {
  return {
    async *watchRoutes(request, context) {
      for await (const update of feed.watch(request.epoch, request.version, context.signal)) yield { update };
    },
  };
}
