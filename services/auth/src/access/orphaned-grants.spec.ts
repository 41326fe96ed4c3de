import { Effect, Level } from "@aimass/api/auth";
import { Change } from "@aimass/api/events";
import { DatasetService, ModelService, ProjectService } from "@aimass/api/registry";
import { AimassError, formatAddress, systemClock } from "@aimass/core";
import { type EventBus, openEventBus } from "@aimass/events";
import { serveRpc } from "@aimass/rpc";
import { openStore, type Store } from "@aimass/store";
import { silentTelemetry } from "@aimass/telemetry";
import { waitFor } from "@aimass/testkit";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AuthClients, type AuthFixture, startAuthFixture } from "../testing/auth-fixture.ts";

/** Where the registry of these tests answers, and the models it has, with the moment each was made. */
const registryPort = 20_000 + (process.pid % 20_000);
const there = new Map<string, number>();
const projectsThere = new Map<string, number>();
const datasetsThere = new Map<string, number>();
const resources = new AsyncDisposableStack();
let auth: AuthFixture;
let root: AuthClients;
let store: Store<unknown>;
let bus: EventBus;

beforeAll(async () => {
  auth = resources.use(await startAuthFixture({ registry: `127.0.0.1:${registryPort}` }));
  root = auth.as(await auth.signInAdmin());
  const { url: databaseUrl } = auth.database;
  const identity = await auth.identity("registry");
  const facts = { clock: systemClock, telemetry: silentTelemetry() };
  const registry = await serveRpc({
    ...{
      name: "registry",
      listen: { host: "127.0.0.1", port: registryPort },
      identity,
      services: [ProjectService, ModelService, DatasetService],
      ...facts,
    },
    routes: (router) => {
      router.service(DatasetService, {
        getDatasetVersion({ project, dataset }) {
          const madeMs = datasetsThere.get(`${project}.${dataset}`);
          if (madeMs === undefined) throw new AimassError("NOT_FOUND", "There is no such dataset.");
          return { datasetVersion: { project, dataset, createdAt: timestampFromMs(madeMs) } };
        },
      });
      router.service(ProjectService, {
        getProject({ name }) {
          const madeMs = projectsThere.get(name);
          if (madeMs === undefined) throw new AimassError("NOT_FOUND", "There is no such project.");
          return { project: { name, createdAt: timestampFromMs(madeMs) } };
        },
      });
      router.service(ModelService, {
        getModel({ project, name }) {
          const madeMs = there.get(`${project}.${name}`);
          if (madeMs === undefined) throw new AimassError("NOT_FOUND", "There is no such model.");
          return { model: { project, name, createdAt: timestampFromMs(madeMs) } };
        },
      });
    },
  });
  resources.defer(() => registry.drain(0));
  expect(formatAddress(registry.address)).toBe(`127.0.0.1:${registryPort}`);
  store = resources.use(await openStore({ url: databaseUrl, schema: "registry", migrations: [] }));
  bus = resources.use(await openEventBus({ identity, store, databaseUrl, ...facts }));
});
afterAll(() => resources.disposeAsync());

const put = (resource: string) =>
  root.access.putGrant({ grant: { subject: "anonymous", resource, level: Level.INFER, effect: Effect.ALLOW } });
const left = async (project: string) =>
  (await root.access.listGrants({})).grants
    .map((grant) => grant.resource)
    .filter((resource) => resource.startsWith(project))
    .sort();
/** The registry tells that a model of a project was deleted just now. */
const tellDeleted = (project: string, occurredAt = timestampFromMs(Date.now()), model = "m") =>
  store.withTransaction((tx) =>
    bus.publishFrom(tx, {
      occurredAt,
      actor: "user:admin",
      resource: `${project}.${model}`,
      payload: { case: "modelChanged", value: { project, model, change: Change.DELETED } },
    }),
  );

describe("a deleted model", () => {
  it("leaves no grants to a later model of its name, and takes none of those made later", async () => {
    for (const resource of ["p", "p.m", "p.m@a", "p.mm", "p.m_2"]) await put(resource);
    const occurredAt = timestampFromMs(Date.now());
    await new Promise((resolve) => setTimeout(resolve, 5));
    await put("p.m@later");
    await tellDeleted("p", occurredAt);
    await waitFor(async () => (await left("p")).length === 4, { timeoutMs: 60_000 });
    expect(await left("p")).toEqual(["p", "p.m@later", "p.m_2", "p.mm"]);
  });

  it("leaves none to a model of its name that was made before auth heard of it", async () => {
    await put("q.m");
    await new Promise((resolve) => setTimeout(resolve, 5));
    const occurredAt = timestampFromMs(Date.now());
    there.set("q.m", Date.now() + 1);
    await tellDeleted("q", occurredAt);
    await waitFor(async () => (await left("q")).length === 0, { timeoutMs: 60_000 });
  });

  it("keeps its grants as long as the registry says that it is there, whatever an event says", async () => {
    there.set("r.m", Date.now() - 60_000);
    for (const resource of ["r.m", "r.gone"]) await put(resource);
    await tellDeleted("r");
    await tellDeleted("r", timestampFromMs(Date.now()), "gone");
    await waitFor(async () => !(await left("r")).includes("r.gone"), { timeoutMs: 60_000 });
    expect(await left("r")).toEqual(["r.m"]);
  });

  it("leaves its grants to a dataset of its name, though that has a newer version since", async () => {
    datasetsThere.set("t.m", Date.now() + 60_000);
    for (const resource of ["t.m", "t.gone"]) await put(resource);
    await tellDeleted("t");
    await tellDeleted("t", timestampFromMs(Date.now()), "gone");
    await waitFor(async () => !(await left("t")).includes("t.gone"), { timeoutMs: 60_000 });
    expect(await left("t")).toEqual(["t.m"]);
  });
});

describe("a deleted project", () => {
  const tellGone = (project: string, occurredAt = timestampFromMs(Date.now())) =>
    store.withTransaction((tx) =>
      bus.publishFrom(tx, {
        occurredAt,
        actor: "user:admin",
        resource: project,
        payload: { case: "projectChanged", value: { project, change: Change.DELETED } },
      }),
    );

  it("leaves no grants on it or on something in it, unless it is still there", async () => {
    projectsThere.set("y", Date.now() - 60_000);
    for (const resource of ["z", "z.m", "z.m@a", "z_2", "zz.m", "y", "y.m"]) await put(resource);
    await tellGone("y");
    await tellGone("z");
    await waitFor(async () => !(await left("z")).includes("z"), { timeoutMs: 60_000 });
    expect(await left("z")).toEqual(["z_2", "zz.m"]);
    expect(await left("y")).toEqual(["y", "y.m"]);
  });

  it("leaves no policy to a later one of its name, and takes none of that", async () => {
    const policies = async () => {
      const { rows } = await sql<{ project: string }>`select project from auth.project_policy order by 1`.execute(
        store.db,
      );
      return rows.map(({ project }) => project);
    };
    const putPolicy = (project: string) => root.access.putProjectPolicy({ project, maxSnapshotAgeSeconds: 5n });
    projectsThere.set("y", Date.now() - 60_000);
    for (const project of ["x", "x_2", "y", "w"]) await putPolicy(project);
    await new Promise((resolve) => setTimeout(resolve, 5));
    const deletedAt = timestampFromMs(Date.now());
    await new Promise((resolve) => setTimeout(resolve, 5));
    projectsThere.set("w", Date.now());
    await putPolicy("w");
    for (const project of ["w", "y", "x"]) await tellGone(project, deletedAt);
    await waitFor(async () => !(await policies()).includes("x"), { timeoutMs: 60_000 });
    expect(await policies()).toEqual(["w", "x_2", "y"]);
  });
});

describe("a deleted dataset", () => {
  const tellGone = (project: string, dataset: string, version = 0n) =>
    store.withTransaction((tx) =>
      bus.publishFrom(tx, {
        occurredAt: timestampFromMs(Date.now()),
        actor: "user:admin",
        resource: `${project}.${dataset}`,
        payload: { case: "datasetDeleted", value: { project, dataset, version } },
      }),
    );

  it("leaves no grants to a later one of its name, unless a version, or a model of its name, is still there", async () => {
    there.set("s.shared", Date.now() - 60_000);
    datasetsThere.set("s.kept", Date.now() - 60_000);
    for (const resource of ["s.rows", "s.shared", "s.kept", "s.shorter"]) await put(resource);
    await tellGone("s", "kept");
    await tellGone("s", "shared");
    await tellGone("s", "shorter", 3n);
    await tellGone("s", "rows");
    await waitFor(async () => !(await left("s")).includes("s.rows"), { timeoutMs: 60_000 });
    expect(await left("s")).toEqual(["s.kept", "s.shared", "s.shorter"]);
  });
});
