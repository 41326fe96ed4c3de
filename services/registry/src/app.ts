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
import { meshRoles, nodeRole, PolicyStore, ServiceIdentity } from "@aimass/identity";
import { closeServiceClients, followPolicy, serveRpc } from "@aimass/rpc";
import { openStore } from "@aimass/store";
import { createTelemetry, type Logger, serveAdmin, type Telemetry } from "@aimass/telemetry";
import { Aliases } from "./aliases/aliases.ts";
import { ArtifactAccess } from "./artifacts/artifact-access.ts";
import { runCollector } from "./artifacts/collector.ts";
import { StorageTie } from "./artifacts/storage-tie.ts";
import { Trash, trashFolder } from "./artifacts/trash.ts";
import type { RegistryConfig, RegistryLimits } from "./config.ts";
import type { Database } from "./database.ts";
import { DatasetMaker } from "./datasets/dataset-maker.ts";
import { DatasetReader, type DatasetReaderOptions } from "./datasets/dataset-reader.ts";
import { Datasets } from "./datasets/datasets.ts";
import { finishWithin } from "./finish-within.ts";
import { Gate } from "./gate.ts";
import { busJournal } from "./journal.ts";
import { createRegistryMetrics } from "./metrics.ts";
import { migrations } from "./migrations/index.ts";
import { Library } from "./models/library.ts";
import { Models } from "./models/models.ts";
import { Projects } from "./projects/projects.ts";
import { ReadAudit } from "./reads/read-audit.ts";
import { readsTo } from "./reads/write-reads.ts";
import { aliasRpc } from "./rpc/alias-rpc.ts";
import { artifactRpc } from "./rpc/artifact-rpc.ts";
import { datasetRpc } from "./rpc/dataset-rpc.ts";
import { libraryRpc } from "./rpc/library-rpc.ts";
import { modelRpc } from "./rpc/model-rpc.ts";
import { projectRpc } from "./rpc/project-rpc.ts";
import { Inspector } from "./versions/inspection.ts";
import { onnxProbe } from "./versions/onnx-probe.ts";
import { VersionMaker } from "./versions/version-maker.ts";
import { Versions } from "./versions/versions.ts";
import { WorkDirectory } from "./versions/work-directory.ts";

/** Longest wait, at the start, for the artifact storage to say whose it is. */
const longestLookMs = 5000;

/** What a test may bring itself. */
export interface RegistryParts {
  readonly clock?: Clock;
  readonly telemetry?: Telemetry;
  /** A policy that someone else keeps up to date; then none is fetched. */
  readonly policy?: PolicyStore;
}

/** Builds and starts the registry. */
export async function startRegistry(
  config: RegistryConfig,
  env: Environment,
  parts: RegistryParts = {},
): Promise<RunningService> {
  const { clock = systemClock } = parts;
  const { limits, stateDirectory, databaseUrl, natsUrl } = config;
  await using cleanup = new AsyncDisposableStack();
  const identity = await ServiceIdentity.load(config.identityFile, config.trustFile, clock);
  const telemetry = cleanup.use(
    parts.telemetry ?? createTelemetry({ service: "registry", instance: identity.instance, env }),
  );
  const log = telemetry.log.scope("registry");
  const ending = new AbortController();

  const onError = (error: unknown) => log.debug("a database connection broke", { error });
  const store = cleanup.use(
    await openStore<Database>({ url: databaseUrl, schema: "registry", migrations, clock, onError }),
  );
  const bus = cleanup.use(await openEventBus({ identity, store, natsUrl, databaseUrl, clock, telemetry }));
  const artifacts = await openArtifactStore({ location: config.artifacts, clock, uploadTtlMs: limits.uploadTtlMs });
  const tie = new StorageTie({
    store,
    artifacts,
    root: cleanup.use(await openRecordStore(config.artifacts, "")),
    adopt: config.adoptArtifacts,
    log: log.scope("collector"),
  });
  await tieAtStart(tie, clock, log);

  const metrics = createRegistryMetrics(telemetry.metrics);
  const parted = { store, journal: busJournal(bus), clock };
  const projects = new Projects(parted);
  const models = new Models(parted);
  const versions = new Versions({ ...parted, models });
  const aliases = new Aliases(parted);
  const datasets = new Datasets(parted);
  const access = new ArtifactAccess({ store, artifacts, clock, uploaderMs: limits.artifactGraceMs });
  const work = new WorkDirectory(join(stateDirectory, "inspections"));
  const probe = onnxProbe({
    timeoutMs: limits.probeTimeoutMs,
    memoryLimitBytes: limits.probeMemoryBytes,
    clock,
    metrics,
    signal: ending.signal,
  });
  const inspector = new Inspector({ artifacts, work, probe, concurrency: limits.probeConcurrency });
  const maker = new VersionMaker({ artifacts: access, inspector, versions });
  const reads = new ReadAudit({
    write: readsTo(parted.journal, store),
    clock,
    windowMs: config.readAuditMs,
    onLost: (count) => metrics.unrecordedReads.add(count),
    log: log.scope("reads"),
  });
  const datasetReader = new DatasetReader({ artifacts, ...datasetBounds(limits), ending: ending.signal });
  const datasetMaker = new DatasetMaker({ datasets, access, reader: datasetReader });

  await projects.ensureDefault();
  await work.sweep(clock.now());
  const policy = parts.policy ?? new PolicyStore({ identity, clock });
  const following =
    parts.policy === undefined
      ? followPolicy({
          addresses: config.authAddresses,
          identity,
          enforcerId: identity.name,
          store: policy,
          stateFile: join(stateDirectory, "policy.bin"),
          clock,
          telemetry,
          signal: ending.signal,
        })
      : Promise.resolve();
  const collecting = runCollector({
    store,
    artifacts,
    tie,
    trash: new Trash(cleanup.use(await openRecordStore(config.artifacts, trashFolder))),
    clock,
    graceMs: limits.artifactGraceMs,
    trashMs: limits.trashMs,
    dailyShare: limits.collectedDailyShare,
    metrics,
    log: log.scope("collector"),
    signal: ending.signal,
  });

  const gate = new Gate({ policy, clock, projects, models });
  const server = await serveRpc({
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
    routes: (router) =>
      router
        .service(ProjectService, projectRpc({ gate, projects }))
        .service(ModelService, modelRpc({ gate, models, versions, maker }))
        .service(AliasService, aliasRpc({ gate, aliases }))
        .service(LibraryService, libraryRpc({ gate, library: new Library(store) }))
        .service(DatasetService, datasetRpc({ gate, datasets, maker: datasetMaker, reader: datasetReader, reads }))
        .service(
          ArtifactService,
          artifactRpc({
            gate,
            identity,
            clock,
            artifacts,
            access,
            tie,
            reads,
            metrics,
            maxArtifactBytes: limits.maxArtifactBytes,
          }),
        ),
  });
  const admin = await serveAdmin({
    listen: config.adminListen,
    telemetry,
    ready: () => tie.warning ?? (policy.version > 0n || "The access policy has not arrived yet."),
  });

  const kept = cleanup.move();
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
      await kept.disposeAsync();
    },
  };
}

/** A storage that is out of reach must not keep the registry from starting: the collector looks again. */
async function tieAtStart(tie: StorageTie, clock: Clock, log: Logger): Promise<void> {
  const looking = tie
    .verify()
    .catch((error: unknown) => log.warn("the artifact storage could not be looked at", { error }));
  const enough = new AbortController();
  await Promise.race([looking, clock.sleep(longestLookMs, enough.signal).catch(() => {})]);
  enough.abort();
}

function datasetBounds(limits: RegistryLimits): Omit<DatasetReaderOptions, "artifacts" | "ending"> {
  return {
    limits: limits.datasets,
    bounds: { timeoutMs: limits.datasetTimeoutMs, memoryLimitBytes: limits.datasetMemoryBytes },
    concurrency: limits.datasetConcurrency,
  };
}
