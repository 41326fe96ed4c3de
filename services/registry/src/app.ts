import { join } from "node:path";
import {
  AliasService,
  ArtifactService,
  DatasetService,
  LibraryService,
  ModelService,
  ProjectService,
} from "@aimass/api/registry";
import { openArtifactStore, openRecordStore } from "@aimass/artifacts";
import { type Clock, type Environment, formatAddress, type RunningService, systemClock } from "@aimass/core";
import { openEventBus } from "@aimass/events";
import { meshRoles, nodeRole, type PolicyStore, ServiceIdentity } from "@aimass/identity";
import { closeServiceClients, followPolicy, type RpcServer, serveRpc } from "@aimass/rpc";
import { openStore } from "@aimass/store";
import { createTelemetry, serveAdmin, type Telemetry } from "@aimass/telemetry";
import { runCollector } from "./artifacts/collector.ts";
import { trashFolder } from "./artifacts/trash.ts";
import type { RegistryConfig } from "./config.ts";
import type { Database } from "./database.ts";
import { finishWithin } from "./finish-within.ts";
import { migrations } from "./migrations/index.ts";
import { createParts, type Ground, type Parts } from "./parts.ts";
import { aliasRpc } from "./rpc/alias-rpc.ts";
import { artifactRpc } from "./rpc/artifact-rpc.ts";
import { datasetRpc } from "./rpc/dataset-rpc.ts";
import { libraryRpc } from "./rpc/library-rpc.ts";
import { modelRpc } from "./rpc/model-rpc.ts";
import { projectRpc } from "./rpc/project-rpc.ts";

/** Longest wait, at the start, for the artifact storage to say whose it is. */
const longestLookMs = 5000;

/** What a test may bring itself. */
export interface RegistrySurroundings {
  readonly clock?: Clock;
  readonly telemetry?: Telemetry;
  /** A policy that someone else keeps up to date; then none is fetched. */
  readonly policy?: PolicyStore;
}

/** Builds and starts the registry. */
export async function startRegistry(
  config: RegistryConfig,
  env: Environment,
  surroundings: RegistrySurroundings = {},
): Promise<RunningService> {
  await using resources = new AsyncDisposableStack();
  const ending = new AbortController();
  const ground = await openGround(config, env, { ...surroundings, ending: ending.signal, resources });
  resources.defer(() => ending.abort());
  const parts = createParts(ground, surroundings.policy);
  const { clock, telemetry, tie, projects, work, policy, maker, reads } = parts;
  await tieAtStart(parts);
  await projects.ensureDefault();
  await work.sweep(clock.now());
  const following = surroundings.policy === undefined ? follow(parts) : Promise.resolve();
  const collecting = collect(parts);
  const server = await serve(parts);
  resources.defer(() => server.drain(0));
  const ready = () => tie.warning ?? (policy.version > 0n || "The access policy has not arrived yet.");
  const admin = await serveAdmin({ listen: config.adminListen, telemetry, ready });

  const held = resources.move();
  return {
    addresses: { rpc: formatAddress(server.address), admin: formatAddress(admin.address) },
    warnings: tie.warning === undefined ? [] : [tie.warning],
    async stop(graceMs) {
      const drained = server.drain(graceMs);
      await finishWithin(graceMs, clock, [
        // Versions whose callers have gone are in the making too.
        () => Promise.all([drained, maker.idle()]),
        () => reads.settled(),
      ]);
      await drained;
      ending.abort();
      await Promise.all([maker.idle(), collecting, following]);
      closeServiceClients();
      await admin.close();
      await held.disposeAsync();
    },
  };
}

/** Opens what the parts stand on; all of it is released with `resources`. */
async function openGround(
  config: RegistryConfig,
  env: Environment,
  o: Omit<RegistrySurroundings, "policy"> & { ending: AbortSignal; resources: AsyncDisposableStack },
): Promise<Ground> {
  const { clock = systemClock, resources, ending } = o;
  const { databaseUrl, natsUrl, limits } = config;
  const identity = await ServiceIdentity.load(config.identityFile, config.trustFile, clock);
  const { instance } = identity;
  const telemetry = resources.use(o.telemetry ?? createTelemetry({ service: "registry", instance, env }));
  const log = telemetry.log.scope("registry");
  const onError = (error: unknown) => log.debug("a database connection broke", { error });
  const store = resources.use(
    await openStore<Database>({ url: databaseUrl, schema: "registry", migrations, clock, onError }),
  );
  const bus = resources.use(await openEventBus({ identity, store, natsUrl, databaseUrl, clock, telemetry }));
  const artifacts = await openArtifactStore({ location: config.artifacts, clock, uploadTtlMs: limits.uploadTtlMs });
  const root = resources.use(await openRecordStore(config.artifacts, ""));
  const trashRecords = resources.use(await openRecordStore(config.artifacts, trashFolder));
  return { config, clock, identity, telemetry, store, bus, artifacts, root, trashRecords, ending };
}

/** A storage that is out of reach must not keep the registry from starting: the collector looks again. */
async function tieAtStart({ tie, clock, log }: Parts): Promise<void> {
  const warn = (error: unknown) => log.warn("the artifact storage could not be looked at", { error });
  const enough = new AbortController();
  await Promise.race([tie.verify().catch(warn), clock.sleep(longestLookMs, enough.signal).catch(() => {})]);
  enough.abort();
}

function follow({ config, identity, policy, clock, telemetry, ending }: Parts): Promise<void> {
  return followPolicy({
    addresses: config.authAddresses,
    identity,
    enforcerId: identity.name,
    store: policy,
    stateFile: join(config.stateDirectory, "policy.bin"),
    clock,
    telemetry,
    signal: ending,
  });
}

function collect(parts: Parts): Promise<void> {
  const { limits } = parts.config;
  return runCollector({
    ...parts,
    graceMs: limits.artifactGraceMs,
    trashMs: limits.trashMs,
    dailyShare: limits.collectedDailyShare,
    log: parts.log.scope("collector"),
    signal: parts.ending,
  });
}

function serve(parts: Parts): Promise<RpcServer> {
  const { config, identity, policy, telemetry, clock } = parts;
  return serveRpc({
    name: "registry",
    listen: config.listen,
    identity,
    policy,
    telemetry,
    clock,
    services: [ProjectService, ModelService, AliasService, LibraryService, ArtifactService, DatasetService],
    // Nodes read what they are granted here, and call nothing else.
    allowRoles: (service) => (service === ArtifactService ? [...meshRoles, nodeRole] : undefined),
    // The trainer makes versions for those who ordered its jobs.
    actingRoles: ["router", "trainer"],
    routes(router) {
      router.service(ProjectService, projectRpc(parts));
      router.service(ModelService, modelRpc(parts));
      router.service(AliasService, aliasRpc(parts));
      router.service(LibraryService, libraryRpc(parts));
      router.service(DatasetService, datasetRpc({ ...parts, maker: parts.datasetMaker, reader: parts.datasetReader }));
      router.service(ArtifactService, artifactRpc({ ...parts, maxArtifactBytes: config.limits.maxArtifactBytes }));
    },
  });
}
