import type { Counter, Gauge, Histogram, Metrics } from "@aimass/telemetry";

/** What the registry counts. Calls are counted by the RPC server. */
export interface RegistryMetrics {
  readonly uploadedBytes: Counter;
  /** By `outcome`: "accepted" or "refused". */
  readonly inspections: Counter;
  readonly inspectionSeconds: Histogram;
  readonly collectedArtifacts: Counter;
  readonly collectedBytes: Counter;
  /** Artifacts taken out of the trash because something refers to them again. */
  readonly restoredArtifacts: Counter;
  /** Artifacts that nothing refers to, as the last collection found them. */
  readonly unreferencedArtifacts: Gauge;
  /** 1 while database and artifact storage are not known to belong together, so that nothing is collected. */
  readonly collectionBlocked: Gauge;
  /** Reads of data that did not come into the audit ledger. */
  readonly unrecordedReads: Counter;
  /** When the last garbage collection ended well, in seconds since the epoch. */
  readonly lastCollection: Gauge;
}

export function createRegistryMetrics(metrics: Metrics): RegistryMetrics {
  return {
    uploadedBytes: metrics.counter("aimass_registry_uploaded_bytes_total", { help: "Bytes of artifacts received." }),
    inspections: metrics.counter("aimass_registry_inspections_total", {
      help: "Bundles inspected before they were registered.",
      labels: ["outcome"],
    }),
    inspectionSeconds: metrics.histogram("aimass_registry_inspection_seconds", {
      help: "Time a bundle's trial took.",
      boundaries: [0.1, 0.3, 1, 3, 10, 30, 100],
    }),
    collectedArtifacts: metrics.counter("aimass_registry_collected_artifacts_total", {
      help: "Artifacts removed for good because nothing referred to them.",
    }),
    collectedBytes: metrics.counter("aimass_registry_collected_bytes_total", { help: "Bytes of those artifacts." }),
    restoredArtifacts: metrics.counter("aimass_registry_restored_artifacts_total", {
      help: "Artifacts taken out of the trash because something refers to them again.",
    }),
    unreferencedArtifacts: metrics.gauge("aimass_registry_unreferenced_artifacts", {
      help: "Artifacts that nothing refers to, as the last collection found them; those in the trash are among them.",
    }),
    collectionBlocked: metrics.gauge("aimass_registry_collection_blocked", {
      help: "1 while database and artifact storage are not known to belong together, so that nothing is collected.",
    }),
    unrecordedReads: metrics.counter("aimass_registry_unrecorded_reads_total", {
      help: "Reads of artifacts and datasets that were not written to the audit ledger.",
    }),
    lastCollection: metrics.gauge("aimass_registry_last_collection_seconds", {
      help: "When the last garbage collection ended, in seconds since the epoch.",
    }),
  };
}
