import { join } from "node:path";
import { TrainingService } from "@aimass/api/trainer";
import { type Clock, type Environment, formatAddress, type RunningService, systemClock } from "@aimass/core";
import { openEventBus } from "@aimass/events";
import { ServiceIdentity } from "@aimass/identity";
import { closeServiceClients, followPolicy, type RpcServer, serveRpc } from "@aimass/rpc";
import { openStore } from "@aimass/store";
import { createTelemetry, type Logger, serveAdmin } from "@aimass/telemetry";
import { hearChanges } from "./changes-elsewhere.ts";
import type { TrainerConfig } from "./config.ts";
import type { Database } from "./database.ts";
import { keepHouse } from "./jobs/housekeeping.ts";
import { JobFeed } from "./jobs/job-feed.ts";
import { gaugeQueue } from "./jobs/queue-gauge.ts";
import { migrations } from "./migrations/index.ts";
import { createParts, type Ground, type Parts } from "./parts.ts";
import { runRetrainings } from "./retrainings/retraining-runner.ts";
import { createTrainingService } from "./rpc/training-service.ts";
import { runJobs } from "./worker/job-runner.ts";

/** Builds and starts the trainer. */
export async function startTrainer(
  config: TrainerConfig,
  env: Environment,
  clock: Clock = systemClock,
): Promise<RunningService> {
  await using resources = new AsyncDisposableStack();
  const ending = new AbortController();
  const { signal } = ending;
  const ground = await openGround(config, env, { clock, resources });
  resources.defer(() => ending.abort());
  const parts = createParts(ground);
  const { telemetry, policy } = parts;
  const { log } = telemetry;
  warnOfUnused(config, log);
  const following = follow(parts, signal);
  hearChanges(parts.bus, parts, signal).catch((error: unknown) =>
    log.error("changes elsewhere are not heard of", { error }),
  );
  const running = run(parts, signal);
  const rpc = await serve(parts);
  resources.defer(() => rpc.drain(0));
  const ready = () => policy.version > 0n || "The trainer has not received the access policy yet.";
  const admin = await serveAdmin({ listen: config.adminListen, telemetry, ready });
  log.info("trainer started", { rpc: formatAddress(rpc.address), workers: config.workers });
  const held = resources.move();
  return {
    addresses: { rpc: formatAddress(rpc.address), admin: formatAddress(admin.address) },
    failed: neverOrRejected(running),
    async stop(graceMs) {
      ending.abort();
      await Promise.all([rpc.drain(graceMs), running, following]);
      await admin.close();
      closeServiceClients();
      await held.disposeAsync();
    },
  };
}

/** Opens what the parts stand on; all of it is released with `resources`. */
async function openGround(
  config: TrainerConfig,
  env: Environment,
  { clock, resources }: { clock: Clock; resources: AsyncDisposableStack },
): Promise<Ground> {
  const { databaseUrl, natsUrl } = config;
  const identity = await ServiceIdentity.load(config.identityFile, config.trustFile, clock);
  const telemetry = resources.use(createTelemetry({ service: "trainer", instance: identity.instance, env }));
  const log = telemetry.log.scope("trainer.store");
  const onError = (error: unknown) => log.warn("database connection broken", { error });
  const store = resources.use(
    await openStore<Database>({ url: databaseUrl, schema: "trainer", migrations, clock, onError }),
  );
  const bus = resources.use(await openEventBus({ identity, store, natsUrl, databaseUrl, clock, telemetry }));
  const feed = resources.use(await JobFeed.open(store));
  return { config, env, clock, identity, telemetry, store, bus, feed };
}

function warnOfUnused({ unusedSettings }: TrainerConfig, log: Logger): void {
  if (unusedSettings.length === 0) return;
  log.warn("settings without effect: AIMASS_SCRIPTS is off", { names: unusedSettings.join(", ") });
}

function follow({ config, identity, policy, clock, telemetry }: Parts, signal: AbortSignal): Promise<void> {
  return followPolicy({
    addresses: config.authAddresses,
    identity,
    enforcerId: identity.name,
    store: policy,
    stateFile: join(config.stateDirectory, "trainer.policy"),
    clock,
    telemetry,
    signal,
  });
}

/** The jobs and rules of this process, until the signal. */
function run(parts: Parts, signal: AbortSignal): Promise<unknown> {
  const { metrics, tracer, log } = parts.telemetry;
  const { workers, keepLogDays } = parts.config;
  const jobLog = log.scope("trainer.jobs");
  return Promise.all([
    runJobs({ ...parts, log: jobLog, workers, signal }),
    runRetrainings({ ...parts, log: log.scope("trainer.retraining"), tracer, signal }),
    keepHouse({ ...parts, log: jobLog, keepLogDays, signal }),
    gaugeQueue({ ...parts, metrics, signal }),
  ]);
}

/** Rejects when the work does, and never resolves. */
async function neverOrRejected(work: Promise<unknown>): Promise<never> {
  await work;
  return new Promise(() => {});
}

function serve(parts: Parts): Promise<RpcServer> {
  const { config, identity, policy, telemetry, clock } = parts;
  return serveRpc({
    name: "trainer",
    listen: config.listen,
    identity,
    policy,
    telemetry,
    clock,
    services: [TrainingService],
    routes: (router) => router.service(TrainingService, createTrainingService(parts)),
  });
}
