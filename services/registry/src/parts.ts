import { join } from "node:path";
import type { ArtifactStore, RecordStore } from "@aimass/artifacts";
import type { Clock } from "@aimass/core";
import type { EventBus } from "@aimass/events";
import { PolicyStore, type ServiceIdentity } from "@aimass/identity";
import type { Store } from "@aimass/store";
import type { Telemetry } from "@aimass/telemetry";
import { Aliases } from "./aliases/aliases.ts";
import { ArtifactAccess } from "./artifacts/artifact-access.ts";
import { StorageTie } from "./artifacts/storage-tie.ts";
import { Trash } from "./artifacts/trash.ts";
import type { RegistryConfig, RegistryLimits } from "./config.ts";
import type { Database } from "./database.ts";
import { DatasetMaker } from "./datasets/dataset-maker.ts";
import { DatasetReader, type DatasetReaderOptions } from "./datasets/dataset-reader.ts";
import { Datasets } from "./datasets/datasets.ts";
import { Gate } from "./gate.ts";
import { busJournal } from "./journal.ts";
import { createRegistryMetrics } from "./metrics.ts";
import { Library } from "./models/library.ts";
import { Models } from "./models/models.ts";
import { Projects } from "./projects/projects.ts";
import { ReadAudit } from "./reads/read-audit.ts";
import { readsTo } from "./reads/write-reads.ts";
import { Inspector } from "./versions/inspection.ts";
import { onnxProbe } from "./versions/onnx-probe.ts";
import { VersionMaker } from "./versions/version-maker.ts";
import { Versions } from "./versions/versions.ts";
import { WorkDirectory } from "./versions/work-directory.ts";

/** What the parts stand on. */
export interface Ground {
  readonly config: RegistryConfig;
  readonly clock: Clock;
  readonly identity: ServiceIdentity;
  readonly telemetry: Telemetry;
  readonly store: Store<Database>;
  readonly bus: EventBus;
  readonly artifacts: ArtifactStore;
  /** What the artifact storage knows beside artifacts: whose it is, and what waits in the trash. */
  readonly root: RecordStore;
  readonly trashRecords: RecordStore;
  /** Ends what runs on behalf of nobody any more. */
  readonly ending: AbortSignal;
}

/** The parts of the service, put together. Nothing runs yet. */
export type Parts = ReturnType<typeof createParts>;

/** `policy`: one that someone else keeps up to date. */
export function createParts(ground: Ground, policy?: PolicyStore) {
  const { config, clock, identity, telemetry, store, bus, artifacts, root } = ground;
  const { limits } = config;
  const log = telemetry.log.scope("registry");
  const metrics = createRegistryMetrics(telemetry.metrics);
  const shared = { store, journal: busJournal(bus), clock };
  const projects = new Projects(shared);
  const models = new Models(shared);
  const access = new ArtifactAccess({ store, artifacts, clock, uploaderMs: limits.artifactGraceMs });
  const enforced = policy ?? new PolicyStore({ identity, clock });
  const onLost = (count: number) => metrics.unrecordedReads.add(count);
  return {
    ...ground,
    ...{ log, metrics, projects, models, access },
    policy: enforced,
    gate: new Gate({ policy: enforced, clock, projects, models }),
    aliases: new Aliases(shared),
    library: new Library(store),
    tie: new StorageTie({ store, artifacts, root, adopt: config.adoptArtifacts, log: log.scope("collector") }),
    trash: new Trash(ground.trashRecords),
    reads: new ReadAudit({
      write: readsTo(shared.journal, store),
      clock,
      windowMs: config.readAuditMs,
      onLost,
      log: log.scope("reads"),
    }),
    ...createVersionParts(ground, { metrics, access, versions: new Versions({ ...shared, models }) }),
    ...createDatasetParts(ground, { access, datasets: new Datasets(shared) }),
  };
}

function createVersionParts(
  { config, clock, artifacts, ending }: Ground,
  o: { metrics: ReturnType<typeof createRegistryMetrics>; access: ArtifactAccess; versions: Versions },
) {
  const { limits, stateDirectory } = config;
  const { metrics, access, versions } = o;
  const work = new WorkDirectory(join(stateDirectory, "inspections"));
  const probe = onnxProbe({
    timeoutMs: limits.probeTimeoutMs,
    memoryLimitBytes: limits.probeMemoryBytes,
    clock,
    metrics,
    signal: ending,
  });
  const inspector = new Inspector({ artifacts, work, probe, concurrency: limits.probeConcurrency });
  return { versions, work, maker: new VersionMaker({ artifacts: access, inspector, versions }) };
}

function createDatasetParts(
  { config, artifacts, ending }: Ground,
  { access, datasets }: { access: ArtifactAccess; datasets: Datasets },
) {
  const datasetReader = new DatasetReader({ artifacts, ...datasetBounds(config.limits), ending });
  return { datasets, datasetReader, datasetMaker: new DatasetMaker({ datasets, access, reader: datasetReader }) };
}

function datasetBounds(limits: RegistryLimits): Omit<DatasetReaderOptions, "artifacts" | "ending"> {
  return {
    limits: limits.datasets,
    bounds: { timeoutMs: limits.datasetTimeoutMs, memoryLimitBytes: limits.datasetMemoryBytes },
    concurrency: limits.datasetConcurrency,
  };
}
