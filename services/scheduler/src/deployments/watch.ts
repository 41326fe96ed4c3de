import { type Deployment, DeploymentSchema } from "@aimass/api/scheduler";
import type { Clock } from "@aimass/core";
import { equals } from "@bufbuild/protobuf";
import type { Changes } from "../changes.ts";

/**
 * A deployment now and after every change, until the signal aborts or it is gone (`find` then answers undefined, which is the last thing yielded).
 * Looks again at least every `tickMs`.
 */
export async function* watchDeployment(o: {
  find: () => Promise<Deployment | undefined>;
  changes: Changes;
  clock: Clock;
  tickMs: number;
  signal: AbortSignal;
}): AsyncGenerator<Deployment | undefined> {
  let bell = Promise.withResolvers<void>();
  using _subscription = o.changes.on(["desired", "decided"], () => bell.resolve());
  let last: Deployment | undefined;
  while (!o.signal.aborted) {
    bell = Promise.withResolvers<void>();
    const current = await o.find();
    if (current === undefined || last === undefined || !equals(DeploymentSchema, current, last)) yield current;
    if (current === undefined) return;
    last = current;
    const tick = o.clock.sleep(o.tickMs, o.signal).catch(() => {});
    await Promise.race([bell.promise, tick]);
  }
}
