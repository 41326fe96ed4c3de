import { AliasService } from "@aimass/api/registry";
import {
  type Deployment,
  DeploymentSchema,
  DeploymentService,
  type DeploymentSpec,
  DeploymentSpecSchema,
  RolloutPhase,
} from "@aimass/api/scheduler";
import { clone, create } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { serveRoutes } from "../testing/serve-routes.ts";
import { deployModel, putWishes } from "./deploy.ts";
import { servePushed } from "./run.ts";

/** What a scheduler says of the model m while "default", which points at `wanted`, is served by `served` on some replicas. */
function deployed(o: { wanted: bigint; served: bigint; on: string[]; replicas: number; paused?: boolean }): Deployment {
  const { replicas, paused = false } = o;
  return create(DeploymentSchema, {
    spec: { project: "default", model: "m", aliases: ["default"], replicas, paused },
    status: {
      summary: `v${o.served} on ${o.on.length}`,
      aliases: [{ alias: "default", wantedVersion: o.wanted, servedVersion: o.served }],
      versions: [{ version: o.served, phase: RolloutPhase.SERVING, replicaIds: o.on }],
    },
  });
}

/** A scheduler that keeps one deployment with compare-and-set, and plans every version on two replicas. */
function scheduler(
  router: ConnectRouter,
  o: { states?: readonly Deployment[]; meanwhile?: Partial<DeploymentSpec>; put?: Deployment },
) {
  let spec = create(DeploymentSpecSchema, { project: "default", model: "m", replicas: 1, keepWarm: 1 });
  let generation = 1;
  let meanwhile = o.meanwhile;
  router.rpc(DeploymentService.method.getDeployment, () => {
    const read = { spec, etag: String(generation) };
    if (meanwhile !== undefined) {
      spec = Object.assign(clone(DeploymentSpecSchema, spec), meanwhile);
      generation += 1;
    }
    meanwhile = undefined;
    return { deployment: read };
  });
  router.rpc(DeploymentService.method.putDeployment, (request) => {
    if (request.etag !== "" && request.etag !== String(generation))
      throw new ConnectError("changed since it was read", Code.Aborted);
    spec = request.spec ?? spec;
    generation += 1;
    return {
      plan: { fits: true, versions: [{ version: 1n, replicaIds: ["a", "b"] }] },
      deployment: { spec, etag: String(generation), ...(o.put?.status && { status: o.put.status }) },
    };
  });
  router.rpc(DeploymentService.method.watchDeployment, async function* () {
    for (const deployment of o.states ?? []) yield { deployment };
  });
  return { current: () => spec };
}

describe("a deployment that is waited for", () => {
  it("on two replicas serves on both, not on the one it was on before", async () => {
    const version = { wanted: 1n, served: 1n, replicas: 2 };
    const states = [deployed({ ...version, on: ["a"] }), deployed({ ...version, on: ["a", "b"] })];
    await using server = await serveRoutes((router) => void scheduler(router, { states }));
    const wishes = { project: "default", model: "m", replicas: 2 };
    expect(await deployModel(server.connection, wishes)).toBe("v1 on 2");
  });

  it("while it is paused serves on both what it serves, before it is told that it is paused", async () => {
    const version = { wanted: 2n, served: 1n, replicas: 2, paused: true };
    const [one, both] = [deployed({ ...version, on: ["a"] }), deployed({ ...version, on: ["a", "b"] })];
    const wishes = { project: "default", model: "m", replicas: 2 };
    await using early = await serveRoutes((router) => void scheduler(router, { states: [one], put: one }));
    // The stream ends before both do.
    expect(await deployModel(early.connection, wishes)).toBe("");
    await using server = await serveRoutes((router) => void scheduler(router, { states: [one, both], put: one }));
    const told = "m is paused: it goes on with `aimass deployments resume m`.";
    expect(await deployModel(server.connection, wishes)).toBe(told);
  });

  it("while it is paused, serving nothing yet, is not waited for", async () => {
    const state = deployed({ wanted: 1n, served: 0n, replicas: 1, paused: true, on: [] });
    await using server = await serveRoutes((router) => void scheduler(router, { states: [state], put: state }));
    const told = await deployModel(server.connection, { project: "default", model: "m" });
    expect(told).toContain("aimass deployments resume m");
  });

  it("whose alias was moved before serves the version it points at, not the one before", async () => {
    const on = { on: ["a"], replicas: 1 };
    const put = deployed({ wanted: 2n, served: 1n, ...on });
    // The leader has not heard of the alias yet.
    const states = [deployed({ wanted: 1n, served: 1n, ...on }), put, deployed({ wanted: 2n, served: 2n, ...on })];
    await using server = await serveRoutes((router) => void scheduler(router, { states, put }));
    expect(await deployModel(server.connection, { project: "default", model: "m" })).toBe("v2 on 1");
  });

  it("whose alias somebody moves on meanwhile serves the version it points at then", async () => {
    const on = { on: ["a"], replicas: 1 };
    const put = deployed({ wanted: 2n, served: 1n, ...on });
    const states = [deployed({ wanted: 1n, served: 1n, ...on }), deployed({ wanted: 3n, served: 3n, ...on })];
    await using server = await serveRoutes((router) => void scheduler(router, { states, put }));
    expect(await deployModel(server.connection, { project: "default", model: "m" })).toBe("v3 on 1");
  });

  it("of a model that was just run serves the version that was pushed, not the one before", async () => {
    const states = [
      // The scheduler has not heard of the alias yet.
      deployed({ wanted: 1n, served: 1n, on: ["a"], replicas: 1 }),
      deployed({ wanted: 2n, served: 1n, on: ["a"], replicas: 1 }),
      deployed({ wanted: 2n, served: 2n, on: ["a"], replicas: 1 }),
    ];
    const moved: bigint[] = [];
    await using server = await serveRoutes((router) => {
      scheduler(router, { states });
      router.rpc(AliasService.method.moveAlias, ({ version }) => {
        moved.push(version);
        return {};
      });
    });
    const wishes = { project: "default", model: "m" };
    expect(await servePushed(server.connection, { wishes, version: 2n })).toBe("v2 on 1");
    expect(moved).toEqual([2n]);
  });
});

describe("a deployment that somebody else changes between the read and the write", () => {
  it("keeps their change beside one's own", async () => {
    let kept: () => DeploymentSpec = expect.fail;
    await using server = await serveRoutes((router) => {
      kept = scheduler(router, { meanwhile: { keepWarm: 3 } }).current;
    });
    await putWishes(server.connection, { project: "default", model: "m", replicas: 2 });
    expect(kept()).toMatchObject({ replicas: 2, keepWarm: 3 });
  });
});
