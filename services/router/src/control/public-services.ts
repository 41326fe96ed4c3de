import { AccessService, AuditService, DirectoryService, SessionService } from "@aimass/api/auth";
import { AliasService, ArtifactService, DatasetService, ModelService, ProjectService } from "@aimass/api/registry";
import { DeploymentService, FleetService } from "@aimass/api/scheduler";
import { TrainingService } from "@aimass/api/trainer";
import type { DescService } from "@bufbuild/protobuf";

/** The services behind the router. */
export const backendNames = ["auth", "registry", "scheduler", "trainer", "console"] as const;
export type BackendName = (typeof backendNames)[number];

/**
 * The APIs that may be called through the router, by who serves them. PolicyService, LibraryService, ReplicaService and RouteService are for the mesh
 * alone and not among them.
 */
export const publicServices: Readonly<Record<Exclude<BackendName, "console">, readonly DescService[]>> = {
  auth: [SessionService, DirectoryService, AccessService, AuditService],
  registry: [ProjectService, ModelService, AliasService, DatasetService, ArtifactService],
  scheduler: [DeploymentService, FleetService],
  trainer: [TrainingService],
};

const backendOfService: ReadonlyMap<string, BackendName> = new Map(
  Object.entries(publicServices).flatMap(([backend, services]) =>
    services.map((service) => [service.typeName, backend as BackendName] as const),
  ),
);

const streamingPaths: ReadonlySet<string> = new Set(
  Object.values(publicServices)
    .flat()
    .flatMap((service) => service.methods)
    .filter((method) => method.methodKind !== "unary")
    .map((method) => `/${method.parent.typeName}/${method.name}`),
);

/** What a streaming RPC asks for, one of the verbs somewhere at least: whom none is granted is refused by the headers of the call. */
export const streamVerbs: Readonly<Record<string, readonly string[]>> = {
  "/aimass.auth.v1.AuditService/ExportEntries": ["audit.read"],
  "/aimass.registry.v1.ArtifactService/WriteUpload": ["version.create", "dataset.write"],
  "/aimass.registry.v1.ArtifactService/ReadArtifact": ["artifact.read", "dataset.read"],
  "/aimass.scheduler.v1.DeploymentService/WatchDeployment": ["deployment.view"],
  "/aimass.trainer.v1.TrainingService/WatchJob": ["job.view"],
};

/** Whether a path is one of a streaming RPC. */
export function isStreamingPath(path: string): boolean {
  return streamingPaths.has(path);
}

/** Who answers a path; undefined when nobody behind the router does. Paths of RPCs look like "/aimass.auth.v1.SessionService/SignIn". */
export function backendOf(path: string): BackendName | undefined {
  if (path === "/" || path === "/console" || path.startsWith("/console/")) return "console";
  const slash = path.indexOf("/", 1);
  return slash < 0 ? undefined : backendOfService.get(path.slice(1, slash));
}
