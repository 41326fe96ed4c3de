import { dirname } from "node:path";
import * as authApi from "@aimass/api/auth";
import * as registryApi from "@aimass/api/registry";
import { ArtifactService, type Version } from "@aimass/api/registry";
import * as schedulerApi from "@aimass/api/scheduler";
import { DeploymentService, ReplicaService } from "@aimass/api/scheduler";
import * as trainerApi from "@aimass/api/trainer";
import { AimassError, parseAddress, systemClock } from "@aimass/core";
import { createNodeIdentity, nodeIdentityFile, revokeNodeIdentity, ServiceIdentity } from "@aimass/identity";
import { mlpModel, tinyModel } from "@aimass/onnx/samples";
import { createServiceClient, fromConnectError } from "@aimass/rpc";
import { waitFor } from "@aimass/testkit";
import type { DescService } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GrpcCaller } from "../support/plain-calls.ts";
import { TestMesh } from "../support/test-mesh.ts";

const permissionDenied = 7;
const replicaId = "local/cpu-0";

let mesh: TestMesh;
let node: ServiceIdentity;
let served: Version;
let other: Version;

beforeAll(async () => {
  mesh = await TestMesh.start({ replicas: 1 });
  served = await mesh.serve("open", tinyModel(1), 1);
  other = await mesh.push("hidden", mlpModel({ layers: [4, 2], seed: 3 }));
  const { data } = mesh.mesh;
  node = await ServiceIdentity.load(data.identityFile("inference"), data.trustFile, systemClock);
}, 120_000);
afterAll(() => mesh?.[Symbol.asyncDispose]());

function rpcAddress(name: string): string {
  const state = mesh.mesh.processes.get(name)?.state;
  return state?.kind === "ready" ? (state.addresses.rpc ?? expect.fail()) : expect.fail();
}

function client<S extends DescService>(service: S, name: string, identity = node) {
  return createServiceClient(service, { addresses: [parseAddress(rpcAddress(name)) ?? expect.fail()], identity });
}

const grantFor = async (version: Version, identity = node) => {
  const asked = { replicaId, project: version.project, model: version.model, version: version.version };
  const { grant } = await client(ReplicaService, "scheduler", identity).grantRead(asked);
  return grant ?? expect.fail();
};

async function read(version: Version, grant?: registryApi.ReadGrant, identity = node): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const request = { sha256: version.files[0]?.sha256 as Uint8Array, ...(grant !== undefined && { grant }) };
  for await (const { chunk } of client(ArtifactService, "registry", identity).readArtifact(request)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* one<T>(message: T) {
  yield message;
}

async function drained(answers: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of answers);
}

const refusal = (promise: Promise<unknown>): Promise<AimassError> =>
  promise.then(
    () => expect.fail("it was let in"),
    (error: unknown) => AimassError.from(fromConnectError(error)),
  );

describe("a node, straight at the services", { timeout: 180_000 }, () => {
  it("reads the files of a version that is assigned to it, and no other's", async () => {
    const grant = await grantFor(served);
    expect(await read(served, grant)).toEqual(Buffer.from(tinyModel(1)));
    expect(await refusal(read(other, grant))).toMatchObject({ code: "PERMISSION_DENIED", reason: "NOT_ASSIGNED" });
    expect(await refusal(read(other))).toMatchObject({ code: "PERMISSION_DENIED", reason: "GRANT_MISSING" });
    const refused = await refusal(grantFor(other));
    expect(refused).toMatchObject({ code: "PERMISSION_DENIED", reason: "NOT_ASSIGNED" });
    expect(refused.message).toBe(`default.hidden:1 is not assigned to ${replicaId}.`);
  });

  it("calls nothing else: no list, no model, no deployment", async () => {
    const reached: string[] = [];
    for (const [service, api] of Object.entries({
      auth: authApi,
      registry: registryApi,
      scheduler: schedulerApi,
      trainer: trainerApi,
    })) {
      using caller = new GrpcCaller(rpcAddress(service));
      const services = Object.values(api).filter(
        (one): one is DescService => (one as { kind?: string }).kind === "service",
      );
      for (const { typeName, methods } of services) {
        if (typeName === ReplicaService.typeName || typeName === ArtifactService.typeName) continue;
        for (const { name } of methods) {
          const headers = { "aimass-service": node.token() };
          const { code } = await caller.call(`/${typeName}/${name}`, Buffer.alloc(0), headers);
          if (code !== permissionDenied) reached.push(`${typeName}/${name}: ${code}`);
        }
      }
    }
    expect(reached).toEqual([]);
  });

  it("speaks for itself alone", async () => {
    const asked = { project: "default", model: "open", version: served.version };
    const scheduler = client(ReplicaService, "scheduler");
    const elsewhere = await refusal(scheduler.grantRead({ ...asked, replicaId: "elsewhere/cpu-0" }));
    expect(elsewhere).toMatchObject({ code: "PERMISSION_DENIED", reason: "OTHER_NODE" });
    expect(elsewhere.message).toBe("The node local may not speak for the node elsewhere.");
    const info = { id: "elsewhere/cpu-0", node: "elsewhere", address: "127.0.0.1:1", incarnation: "1" };
    const exit = { replicaId: "elsewhere/cpu-0", incarnation: "1", exitCode: -1, running: [asked] };
    for (const request of [
      { replica: info },
      { replica: { ...info, id: "local/cpu-9" } },
      { replica: { ...info, id: "local/cpu-9", node: "local" }, exits: [exit] },
    ]) {
      const attached = drained(scheduler.attachReplica(one(request)));
      expect(await refusal(attached)).toMatchObject({ code: "PERMISSION_DENIED", reason: "OTHER_NODE" });
    }
    const announced = drained(scheduler.announceNode(one({ node: "elsewhere" })));
    expect(await refusal(announced)).toMatchObject({ code: "PERMISSION_DENIED", reason: "OTHER_NODE" });
  });

  it("is let in with a key that was made while the mesh runs, not with another's grant, and not once it is revoked", async () => {
    const keys = dirname(mesh.mesh.data.trustFile);
    await createNodeIdentity(keys, "second");
    const second = await ServiceIdentity.load(nodeIdentityFile(keys, "second"), mesh.mesh.data.trustFile, systemClock);
    const grant = await grantFor(served);
    const theirs = await waitFor(async () => {
      const error = await refusal(read(served, grant, second));
      return error.code === "PERMISSION_DENIED" && error;
    });
    expect(theirs).toMatchObject({ reason: "OTHER_NODE" });
    await revokeNodeIdentity(keys, "second");
    const revoked = await waitFor(async () => {
      const error = await refusal(read(served, grant, second));
      return error.reason === "KEY_REVOKED" && error;
    });
    expect(revoked).toMatchObject({
      code: "PERMISSION_DENIED",
      message: expect.stringContaining("The key of the node second was revoked."),
    });
  });

  it("reads nothing of a version that was assigned to it once", async () => {
    await mesh.admin.client(DeploymentService).deleteDeployment({ project: "default", model: "open" });
    const refused = await waitFor(() => refusal(grantFor(served)).catch(() => undefined), { timeoutMs: 60_000 });
    expect(refused).toMatchObject({ code: "PERMISSION_DENIED", reason: "NOT_ASSIGNED" });
  });
});
