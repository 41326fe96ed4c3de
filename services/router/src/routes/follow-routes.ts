import { RouteService, type WatchRoutesResponse } from "@aimass/api/scheduler";
import { type Address, AimassError, type Clock, keepTrying, linkedSignal, NewestSaver } from "@aimass/core";
import type { ServiceIdentity } from "@aimass/identity";
import { createServiceClient } from "@aimass/rpc";
import type { Telemetry } from "@aimass/telemetry";
import type { RouteTable } from "./route-table.ts";

/** The scheduler says something every 2 s; a stream silent for longer than this is given up. */
const silenceMs = 7000;

/** Least time between two writes of the state file. */
const saveGapMs = 1000;

export interface FollowRoutesOptions {
  readonly addresses: readonly Address[];
  readonly identity: ServiceIdentity;
  readonly table: RouteTable;
  /** Where the state is kept over restarts; undefined: nowhere. */
  readonly stateFile: string | undefined;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly signal: AbortSignal;
}

/** Loads the saved routes, then follows the scheduler's until the signal aborts. */
export async function followRoutes(options: FollowRoutesOptions): Promise<void> {
  const { addresses, identity, table, stateFile, clock, telemetry, signal } = options;
  const log = telemetry.log.scope("router.routes");
  if (stateFile !== undefined && !table.hasState) await table.load(stateFile);
  if (table.hasState) {
    log.info("saved routes loaded", { version: String(table.version), ageMs: table.ageMs() });
  }
  const saver = stateFile === undefined ? undefined : createSaver(options, stateFile);
  if (addresses.length === 0) return;
  const client = createServiceClient(RouteService, { addresses, identity, telemetry });
  let wantsFull = false;
  await keepTrying(
    async (healthy) => {
      using scope = linkedSignal(signal);
      const held = wantsFull ? { epoch: "", version: 0n } : { epoch: table.epoch, version: table.version };
      const stream = client.watchRoutes({ routerId: identity.name, ...held }, { signal: scope.signal });
      for await (const { update } of withSilenceLimit(stream, clock, () => scope.abort())) {
        if (update === undefined) continue;
        wantsFull = true;
        const before = { epoch: table.epoch, version: table.version };
        await table.applyInTurns(update);
        wantsFull = false;
        healthy();
        // What changes nothing is a sign of life.
        if (table.epoch !== before.epoch || table.version !== before.version) saver?.changed();
      }
    },
    {
      clock,
      signal,
      backoff: { initialMs: 50, maxMs: 2000 },
      onFailure: (error) => log.warn("route stream ended", { error: AimassError.from(error).message }),
    },
  );
  await saver?.settled();
}

/** Passes a stream on and calls `onSilence` when nothing came for a while. */
async function* withSilenceLimit(
  stream: AsyncIterable<WatchRoutesResponse>,
  clock: Clock,
  onSilence: () => void,
): AsyncIterable<WatchRoutesResponse> {
  let timer = clock.timer(silenceMs, onSilence);
  try {
    for await (const response of stream) {
      timer[Symbol.dispose]();
      yield response;
      timer = clock.timer(silenceMs, onSilence);
    }
  } finally {
    timer[Symbol.dispose]();
  }
}

function createSaver({ table, clock, telemetry, signal }: FollowRoutesOptions, file: string): NewestSaver {
  const log = telemetry.log.scope("router.routes");
  const onFailure = (error: unknown) => log.warn("routes could not be saved", { file, error });
  return new NewestSaver({ save: () => table.save(file), gapMs: saveGapMs, clock, signal, onFailure });
}
