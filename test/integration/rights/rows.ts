import { Code } from "@connectrpc/connect";
import type { MatrixPrincipal, May } from "./principals.ts";

/** What was made before: the model "default.m" with versions and aliases, the dataset "default.d", a job that makes "default.m". */
export interface World {
  readonly jobId: string;
  readonly fileSha256: Uint8Array;
  /** A grant on default.m that may be deleted. */
  readonly freshGrant: () => Promise<string>;
}

/** What an RPC or a route asks for, and how it answers those who lack it. */
export type Rule =
  /** Needs rights; refused, hidden things read like missing ones, with this sentence. */
  | { readonly kind: "verbs"; readonly allowed: (may: May, who: MatrixPrincipal) => boolean; readonly hidden?: RegExp }
  /** The same for everybody. */
  | { readonly kind: "open"; readonly codes?: readonly Code[] }
  /** Answers everybody, and shows what may be seen. */
  | {
      readonly kind: "list";
      readonly shows: (answer: never) => boolean;
      readonly visible: (may: May, who: MatrixPrincipal) => boolean;
    }
  /** For whoever is signed in. */
  | { readonly kind: "person" }
  /** For services of the mesh: nobody reaches it through the router. */
  | { readonly kind: "mesh" };

export interface Row {
  readonly rule: Rule;
  /** The request, or the messages of a stream. Those that change something end in another refusal where they are allowed. */
  readonly request?: (world: World) => object | Promise<object>;
}

const m = "default.m";
const d = "default.d";
const model = { project: "default", model: "m" };
const noModel = /^There is no model "default\.m"\.$/;
const noDataset = /^There is no dataset "default\.d"\.$/;
const noProject = /^There is no project "default"\.$/;
const noJob = /^There is no job /;
const notDeployed = /^default\.m is not deployed\.$/;

const needs = (...verbs: readonly (readonly [verb: string, resource: string])[]) => ({
  kind: "verbs" as const,
  allowed: (may: May) => verbs.every(([verb, resource]) => may(verb, resource)),
});
const onModel = (verb: string, resource = m): Rule => ({ ...needs([verb, resource]), hidden: noModel });
const onPlatform = (verb: string): Rule => needs([verb, "*"]);
const onJob = (...more: readonly (readonly [string, string])[]): Rule => ({
  ...needs(["job.view", "default"], ["job.view", m], ["model.view", m], ...more),
  hidden: noJob,
});
const open: Rule = { kind: "open" };
const person: Rule = { kind: "person" };
const mesh: Rule = { kind: "mesh" };
const list = <A>(shows: (answer: A) => boolean, visible: (may: May, who: MatrixPrincipal) => boolean): Rule => ({
  kind: "list",
  shows: shows as never,
  visible,
});
const sees = (may: May) => may("model.view", m) || may("model.infer", m);
const seesJobs = (may: May) => may("job.view", "default") && may("job.view", m) && may("model.view", m);
const runs = (resource: string): Rule => ({ kind: "verbs", allowed: (may) => may("model.infer", resource) });
const looks: Rule = { kind: "verbs", allowed: sees };
const within = (verb: string) => (may: May, who: MatrixPrincipal) =>
  who.kind === "admin" ||
  may(verb, "default") ||
  who.grants.some(({ resource }) => resource.startsWith("default.") && may(verb, resource));

const tensor = { name: "x", datatype: "FP32", shape: [1n, 1n], contents: { fp32Contents: [1] } };
const spec = { project: "default", model: "m", dataset: "d", target: "y", recipe: "ridge" };
const ordersJob = needs(["job.create", "default"], ["dataset.read", d], ["version.create", m]);

/** Every RPC of the contracts. */
export const rpcRows: Readonly<Record<string, Row>> = {
  "aimass.auth.v1.SessionService/SignIn": {
    rule: { kind: "open", codes: [Code.Unauthenticated, Code.ResourceExhausted] },
  },
  "aimass.auth.v1.SessionService/RefreshSession": { rule: { kind: "open", codes: [Code.Unauthenticated] } },
  "aimass.auth.v1.SessionService/SignOut": { rule: open },
  "aimass.auth.v1.SessionService/WhoAmI": { rule: open },
  "aimass.auth.v1.SessionService/ChangePassword": { rule: person },
  "aimass.auth.v1.SessionService/ListSessions": {
    rule: onPlatform("directory.read"),
    request: () => ({ principal: "user:no-one" }),
  },
  "aimass.auth.v1.SessionService/EndSession": { rule: person, request: () => ({ id: "none" }) },
  "aimass.auth.v1.SessionService/EndAllSessions": {
    rule: onPlatform("directory.manage"),
    request: () => ({ principal: "user:no-one" }),
  },
  "aimass.auth.v1.SessionService/GetJwks": { rule: open },
  "aimass.auth.v1.DirectoryService/CreateUser": {
    rule: onPlatform("directory.manage"),
    request: () => ({ name: "?" }),
  },
  "aimass.auth.v1.DirectoryService/UpdateUser": {
    rule: onPlatform("directory.manage"),
    request: () => ({ name: "no-one" }),
  },
  "aimass.auth.v1.DirectoryService/DeleteUser": {
    rule: onPlatform("directory.manage"),
    request: () => ({ name: "no-one" }),
  },
  "aimass.auth.v1.DirectoryService/ListUsers": { rule: onPlatform("directory.read") },
  "aimass.auth.v1.DirectoryService/PutGroup": {
    rule: onPlatform("directory.manage"),
    request: () => ({ group: { name: "?" } }),
  },
  "aimass.auth.v1.DirectoryService/DeleteGroup": {
    rule: onPlatform("directory.manage"),
    request: () => ({ name: "none" }),
  },
  "aimass.auth.v1.DirectoryService/ListGroups": { rule: onPlatform("directory.read") },
  "aimass.auth.v1.DirectoryService/CreateServiceAccount": {
    rule: onPlatform("directory.manage"),
    request: () => ({ name: "?" }),
  },
  "aimass.auth.v1.DirectoryService/UpdateServiceAccount": {
    rule: onPlatform("directory.manage"),
    request: () => ({ name: "no-one" }),
  },
  "aimass.auth.v1.DirectoryService/DeleteServiceAccount": {
    rule: onPlatform("directory.manage"),
    request: () => ({ name: "no-one" }),
  },
  "aimass.auth.v1.DirectoryService/ListServiceAccounts": { rule: onPlatform("directory.read") },
  "aimass.auth.v1.DirectoryService/CreateApiKey": {
    rule: onPlatform("directory.manage"),
    request: () => ({ principal: "service-account:no-one" }),
  },
  "aimass.auth.v1.DirectoryService/ListApiKeys": {
    rule: onPlatform("directory.read"),
    request: () => ({ principal: "service-account:no-one" }),
  },
  "aimass.auth.v1.DirectoryService/RevokeAllApiKeys": {
    rule: onPlatform("directory.manage"),
    request: () => ({ principal: "service-account:no-one" }),
  },
  "aimass.auth.v1.DirectoryService/RevokeApiKey": { rule: person, request: () => ({ id: "none" }) },
  "aimass.auth.v1.AccessService/PutGrant": {
    rule: needs(["grant.write", m]),
    request: () => ({ grant: { subject: "user:no-one", resource: m, level: 1, effect: 1 } }),
  },
  "aimass.auth.v1.AccessService/DeleteGrant": {
    rule: needs(["grant.write", m]),
    request: async (world) => ({ id: await world.freshGrant() }),
  },
  "aimass.auth.v1.AccessService/ListGrants": { rule: needs(["grant.read", m]), request: () => ({ resource: m }) },
  "aimass.auth.v1.AccessService/ExplainAccess": {
    rule: needs(["grant.read", m]),
    request: () => ({ principal: "user:someone", verb: "model.infer", resource: m }),
  },
  "aimass.auth.v1.AccessService/PutProjectPolicy": {
    rule: needs(["project.manage", "default"]),
    request: () => ({ project: "default", maxSnapshotAgeSeconds: 86_400n }),
  },
  "aimass.auth.v1.AuditService/ListEntries": { rule: onPlatform("audit.read") },
  "aimass.auth.v1.AuditService/ExportEntries": { rule: onPlatform("audit.read") },
  "aimass.auth.v1.AuditService/GetHead": { rule: onPlatform("audit.read") },
  "aimass.auth.v1.AuditService/VerifyLedger": { rule: onPlatform("audit.read") },
  "aimass.auth.v1.PolicyService/WatchPolicy": { rule: mesh },
  "aimass.auth.v1.PolicyService/AcknowledgePolicy": { rule: mesh },

  "aimass.registry.v1.ProjectService/CreateProject": {
    rule: onPlatform("project.create"),
    request: () => ({ project: { name: "?" } }),
  },
  "aimass.registry.v1.ProjectService/UpdateProject": {
    rule: { ...needs(["project.manage", "default"]), hidden: noProject },
    // Changes nothing.
    request: () => ({ name: "default", reviewRequired: false }),
  },
  "aimass.registry.v1.ProjectService/GetProject": {
    rule: { kind: "verbs", allowed: within("model.view"), hidden: noProject },
    request: () => ({ name: "default" }),
  },
  "aimass.registry.v1.ProjectService/DeleteProject": {
    rule: { ...needs(["project.manage", "default"]), hidden: noProject },
    request: () => ({ name: "default", validateOnly: true }),
  },
  "aimass.registry.v1.ProjectService/ListProjects": {
    rule: list<{ projects: { name: string }[] }>(
      ({ projects }) => projects.some(({ name }) => name === "default"),
      within("model.view"),
    ),
  },
  "aimass.registry.v1.ModelService/CreateModel": {
    rule: { ...needs(["model.create", "default"], ["model.create", m], ["model.view", m]), hidden: noProject },
    request: () => ({ project: "default", name: "m" }),
  },
  "aimass.registry.v1.ModelService/GetModel": { rule: onModel("model.view"), request: () => ({ name: "m" }) },
  "aimass.registry.v1.ModelService/ListModels": {
    rule: list<{ models: { name: string }[] }>(
      ({ models }) => models.some(({ name }) => name === "m"),
      (may) => may("model.view", m),
    ),
  },
  "aimass.registry.v1.ModelService/UpdateModel": {
    rule: onModel("version.create"),
    request: () => ({ name: "m", etag: "another" }),
  },
  "aimass.registry.v1.ModelService/DeleteModel": { rule: onModel("model.delete"), request: () => ({ name: "m" }) },
  "aimass.registry.v1.ModelService/CreateVersion": { rule: onModel("version.create"), request: () => model },
  "aimass.registry.v1.ModelService/GetVersion": { rule: onModel("model.view"), request: () => model },
  "aimass.registry.v1.ModelService/ListVersions": { rule: onModel("model.view"), request: () => model },
  "aimass.registry.v1.ModelService/RetireVersion": {
    rule: onModel("version.retire"),
    request: () => ({ ...model, version: 99n }),
  },
  "aimass.registry.v1.ModelService/DiffVersions": {
    rule: onModel("model.view"),
    request: () => ({ ...model, left: "1", right: "1" }),
  },
  "aimass.registry.v1.ModelService/RequestReview": {
    rule: onModel("version.review_request"),
    request: () => ({ ...model, version: 99n }),
  },
  "aimass.registry.v1.ModelService/DecideReview": {
    rule: onModel("version.review"),
    request: () => ({ ...model, version: 99n, decision: 1 }),
  },
  "aimass.registry.v1.AliasService/MoveAlias": {
    rule: onModel("alias.move", `${m}@live`),
    request: () => ({ ...model, alias: "live", version: 99n }),
  },
  "aimass.registry.v1.AliasService/RollbackAlias": {
    rule: onModel("alias.move", `${m}@live`),
    request: () => ({ ...model, alias: "live", expectedVersion: 99n }),
  },
  "aimass.registry.v1.AliasService/DeleteAlias": {
    rule: onModel("alias.move", `${m}@live`),
    request: () => ({ ...model, alias: "live", expectedVersion: 99n }),
  },
  "aimass.registry.v1.AliasService/ListAliasMoves": { rule: onModel("model.view"), request: () => model },
  "aimass.registry.v1.LibraryService/ListServable": { rule: mesh },
  "aimass.registry.v1.DatasetService/CreateDatasetVersion": {
    rule: { ...needs(["dataset.write", d], ["dataset.view", d]), hidden: noProject },
    request: () => ({ dataset: "d" }),
  },
  "aimass.registry.v1.DatasetService/GetDatasetVersion": {
    rule: { ...needs(["dataset.view", d]), hidden: noDataset },
    request: () => ({ dataset: "d" }),
  },
  "aimass.registry.v1.DatasetService/ListDatasets": {
    rule: list<{ datasets: unknown[] }>(
      ({ datasets }) => datasets.length > 0,
      (may) => may("dataset.view", d),
    ),
  },
  "aimass.registry.v1.DatasetService/ListDatasetVersions": {
    rule: { ...needs(["dataset.view", d]), hidden: noDataset },
    request: () => ({ dataset: "d" }),
  },
  "aimass.registry.v1.DatasetService/DiffDatasetVersions": {
    rule: { ...needs(["dataset.view", d]), hidden: noDataset },
    request: () => ({ dataset: "d" }),
  },
  "aimass.registry.v1.DatasetService/DeleteDataset": {
    rule: { ...needs(["dataset.view", d], ["dataset.delete", d]), hidden: noDataset },
    request: () => ({ dataset: "d", validateOnly: true }),
  },
  "aimass.registry.v1.DatasetService/PreviewDataset": {
    rule: { ...needs(["dataset.view", d], ["dataset.read", d]), hidden: noDataset },
    request: () => ({ dataset: "d", rows: 1 }),
  },
  "aimass.registry.v1.ArtifactService/StartUpload": {
    rule: {
      kind: "verbs",
      allowed: (may, who) => within("version.create")(may, who) || within("dataset.write")(may, who),
      hidden: noProject,
    },
    request: () => ({ project: "default" }),
  },
  "aimass.registry.v1.ArtifactService/WriteUpload": {
    rule: person,
    request: () => ({ uploadId: "none" }),
  },
  "aimass.registry.v1.ArtifactService/ReadArtifact": {
    rule: { ...needs(["artifact.read", m]), hidden: /^There is no artifact / },
    request: ({ fileSha256 }) => ({ sha256: fileSha256 }),
  },

  "aimass.scheduler.v1.DeploymentService/PutDeployment": {
    rule: {
      ...needs(["deployment.write", m]),
      hidden: /^There is no model default\.m with a version that is READY\.$/,
    },
    request: () => ({ spec: { ...model, versions: [99n] } }),
  },
  "aimass.scheduler.v1.DeploymentService/GetDeployment": {
    rule: { ...needs(["deployment.view", m]), hidden: notDeployed },
    request: () => model,
  },
  "aimass.scheduler.v1.DeploymentService/ListDeployments": {
    rule: list<{ deployments: unknown[] }>(
      ({ deployments }) => deployments.length > 0,
      (may) => may("deployment.view", m),
    ),
  },
  "aimass.scheduler.v1.DeploymentService/DeleteDeployment": {
    // Something else in the same project: what is hidden there is as if it were not deployed.
    rule: { ...needs(["deployment.write", "default.x"]), hidden: /^default\.x is not deployed\.$/ },
    request: () => ({ project: "default", model: "x" }),
  },
  "aimass.scheduler.v1.DeploymentService/WatchDeployment": {
    rule: { ...needs(["deployment.view", m]), hidden: notDeployed },
    request: () => model,
  },
  "aimass.scheduler.v1.DeploymentService/ListDeploymentHistory": {
    rule: { ...needs(["deployment.view", m]), hidden: notDeployed },
    request: () => model,
  },
  "aimass.scheduler.v1.FleetService/ListNodes": { rule: onPlatform("node.view") },
  "aimass.scheduler.v1.FleetService/DrainReplica": {
    rule: onPlatform("node.manage"),
    request: () => ({ replicaId: "none" }),
  },
  "aimass.scheduler.v1.FleetService/DrainNode": {
    rule: onPlatform("node.manage"),
    request: () => ({ node: "none" }),
  },
  "aimass.scheduler.v1.FleetService/ListQuarantine": { rule: onPlatform("node.view") },
  "aimass.scheduler.v1.FleetService/ReleaseQuarantine": {
    rule: onPlatform("node.manage"),
    request: () => ({ ...model, version: 99n }),
  },
  "aimass.scheduler.v1.ReplicaService/AnnounceNode": { rule: mesh },
  "aimass.scheduler.v1.ReplicaService/AttachReplica": { rule: mesh },
  "aimass.scheduler.v1.ReplicaService/GrantRead": { rule: mesh },
  "aimass.scheduler.v1.RouteService/WatchRoutes": { rule: mesh },

  "aimass.trainer.v1.TrainingService/CreateJob": { rule: ordersJob, request: () => ({ spec, validateOnly: true }) },
  "aimass.trainer.v1.TrainingService/GetJob": { rule: onJob(), request: ({ jobId }) => ({ id: jobId }) },
  "aimass.trainer.v1.TrainingService/ListJobs": {
    rule: list<{ jobs: unknown[] }>(({ jobs }) => jobs.length > 0, seesJobs),
  },
  "aimass.trainer.v1.TrainingService/CancelJob": {
    rule: onJob(["job.create", "default"], ["version.create", m]),
    request: ({ jobId }) => ({ id: jobId }),
  },
  "aimass.trainer.v1.TrainingService/DeleteJob": {
    rule: onJob(["job.create", "default"], ["version.create", m]),
    request: ({ jobId }) => ({ id: jobId, validateOnly: true }),
  },
  "aimass.trainer.v1.TrainingService/WatchJob": { rule: onJob(), request: ({ jobId }) => ({ id: jobId }) },
  "aimass.trainer.v1.TrainingService/ListRecipes": { rule: open },
  "aimass.trainer.v1.TrainingService/GetJobReport": { rule: onJob(), request: ({ jobId }) => ({ id: jobId }) },
  "aimass.trainer.v1.TrainingService/PutRetraining": {
    rule: ordersJob,
    request: () => ({
      retraining: { project: "default", name: "rule", spec, every: { seconds: 86_400n, nanos: 0 }, paused: true },
    }),
  },
  "aimass.trainer.v1.TrainingService/ListRetrainings": {
    rule: list<{ retrainings: unknown[] }>(({ retrainings }) => retrainings.length > 0, seesJobs),
  },
  "aimass.trainer.v1.TrainingService/DeleteRetraining": {
    rule: needs(["job.create", "default"]),
    request: () => ({ name: "none" }),
  },
  "aimass.trainer.v1.TrainingService/GetQuota": { rule: needs(["job.view", "default"]) },
  "aimass.trainer.v1.TrainingService/SetQuota": {
    rule: needs(["project.manage", "default"]),
    request: () => ({ quota: { project: "default", maxRunning: 0, maxQueued: 100 } }),
  },

  "inference.GRPCInferenceService/ServerLive": { rule: open },
  "inference.GRPCInferenceService/ServerReady": { rule: open },
  "inference.GRPCInferenceService/ServerMetadata": { rule: open },
  "inference.GRPCInferenceService/ModelReady": {
    rule: { kind: "list", shows: ((answer: { ready: boolean }) => answer.ready) as never, visible: sees },
    request: () => ({ name: "m" }),
  },
  "inference.GRPCInferenceService/ModelMetadata": { rule: looks, request: () => ({ name: "m" }) },
  "inference.GRPCInferenceService/ModelConfig": { rule: looks, request: () => ({ name: "m" }) },
  "inference.GRPCInferenceService/ModelStatistics": { rule: looks, request: () => ({ name: "m" }) },
  "inference.GRPCInferenceService/ModelInfer": {
    rule: runs(`${m}@default`),
    request: () => ({ modelName: "m", inputs: [tensor] }),
  },
  "inference.GRPCInferenceService/ModelStreamInfer": {
    rule: runs(`${m}@live`),
    request: () => ({ modelName: "m", modelVersion: "live", inputs: [tensor] }),
  },
  "inference.GRPCInferenceService/RepositoryIndex": {
    rule: list<{ models: { name: string }[] }>(({ models }) => models.some(({ name }) => name === "m"), sees),
  },
};

/** How a REST route is called. */
export interface RestRow {
  readonly rule: Rule;
  readonly method: "GET" | "POST";
  readonly body?: object;
}

const restBody = { inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }] };
const named = (answer: { name?: string }[] | { model_stats?: unknown[]; models?: unknown[] }) =>
  JSON.stringify(answer).includes('"m"');

/** Every route of the router's REST table. */
export const restRows: Readonly<Record<string, RestRow>> = {
  "/": { rule: open, method: "GET" },
  "/ping": { rule: open, method: "GET" },
  "/health": { rule: open, method: "GET" },
  "/version": { rule: open, method: "GET" },
  "/invocations": { rule: runs(`${m}@default`), method: "POST", body: { instances: [{ x: 1 }] } },
  "/v1/models": { rule: list(named, sees), method: "GET" },
  "/v1/models/NAME": { rule: looks, method: "GET" },
  "/v1/models/NAME:predict": { rule: runs(`${m}@default`), method: "POST", body: { instances: [{ x: 1 }] } },
  "/v2": { rule: open, method: "GET" },
  "/v2/health/live": { rule: open, method: "GET" },
  "/v2/health/ready": { rule: open, method: "GET" },
  "/v2/models": { rule: list(named, sees), method: "GET" },
  "/v2/models/stats": { rule: list(named, sees), method: "GET" },
  "/v2/repository/index": { rule: list(named, sees), method: "POST", body: {} },
  "/predict": { rule: runs(`${m}@default`), method: "POST", body: { inputs: [{ x: 1 }] } },
  "/v2/models/NAME": { rule: looks, method: "GET" },
  "/v2/models/NAME/ready": { rule: looks, method: "GET" },
  "/v2/models/NAME/config": { rule: looks, method: "GET" },
  "/v2/models/NAME/stats": { rule: looks, method: "GET" },
  "/v2/models/NAME/infer": { rule: runs(`${m}@default`), method: "POST", body: restBody },
  "/models/NAME/ping": { rule: looks, method: "GET" },
  "/models/NAME/health": { rule: looks, method: "GET" },
  "/models/NAME/invocations": { rule: runs(`${m}@default`), method: "POST", body: { instances: [{ x: 1 }] } },
  "/models/NAME/predict": { rule: runs(`${m}@default`), method: "POST", body: { inputs: [{ x: 1 }] } },
};
