import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@aimass/api/health";
import { AliasService, ArtifactService, ModelService } from "@aimass/api/registry";
import { AimassError, type Clock, systemClock } from "@aimass/core";
import { generateMeshIdentity, ServiceIdentity } from "@aimass/identity";
import { silentTelemetry } from "@aimass/telemetry";
import type { ServiceImpl } from "@connectrpc/connect";
import { afterEach, describe, expect, it } from "vitest";
import { callerOf } from "./caller.ts";
import { fromConnectError } from "./error-mapping.ts";
import { closeServiceClients } from "./grpc-channels.ts";
import { type RpcServer, type ServeRpcOptions, serveRpc } from "./rpc-server.ts";
import { createServiceClient, type ServiceClientOptions } from "./service-client.ts";

const mesh = generateMeshIdentity(["registry", "trainer", "router", "inference"]);

function identity(role: string, clock: Clock = systemClock, of = mesh): ServiceIdentity {
  const document = of.identities.get(role);
  if (document === undefined) throw new Error(role);
  return new ServiceIdentity(document, of.trust, clock);
}

type Models = Partial<ServiceImpl<typeof ModelService>>;
type Artifacts = Partial<ServiceImpl<typeof ArtifactService>>;
const servers: RpcServer[] = [];

async function serve(models: Models, artifacts: Artifacts = {}, options: Partial<ServeRpcOptions> = {}) {
  const server = await serveRpc({
    name: "registry",
    listen: { host: "127.0.0.1", port: 0 },
    identity: identity("registry"),
    telemetry: silentTelemetry(),
    clock: systemClock,
    services: [ModelService, ArtifactService],
    routes: (router) => router.service(ModelService, models).service(ArtifactService, artifacts),
    ...options,
  });
  servers.push(server);
  return server;
}

function models(server: RpcServer, options: Partial<ServiceClientOptions> = {}) {
  return createServiceClient(ModelService, { addresses: [server.address], identity: identity("trainer"), ...options });
}

function artifacts(server: RpcServer) {
  return createServiceClient(ArtifactService, { addresses: [server.address], identity: identity("trainer") });
}

const failure = (call: Promise<unknown>) => call.then(() => expect.fail("the call went through"), fromConnectError);

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.drain(0)));
  closeServiceClients();
});

describe("a unary call", () => {
  it("arrives with the calling service, whom it acts for, and its trace", async () => {
    const lookUp: Models = {
      getModel: ({ name }, context) => {
        const { service, principal, traceparent } = callerOf(context);
        return { model: { name, createdBy: principal.id, description: service.role, labels: { traceparent } } };
      },
    };
    const server = await serve(lookUp, {}, { actingRoles: ["router", "trainer"] });
    const headers = { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-00` };
    const client = models(server, { onBehalfOf: "user:ada" });
    const { model } = await client.getModel({ name: "fraud" }, { headers });
    expect(model).toMatchObject({ name: "fraud", createdBy: "user:ada", description: "trainer" });
    expect(model?.labels.traceparent).toContain("a".repeat(32));
    expect((await models(server).getModel({ name: "x" })).model?.createdBy).toBe("service:trainer");
  });

  it("of a router without a credential is anonymous, never the router itself", async () => {
    const server = await serve({
      getModel: (_, context) => ({ model: { createdBy: callerOf(context).principal.id } }),
    });
    const { model } = await models(server, { identity: identity("router") }).getModel({});
    expect(model?.createdBy).toBe("anonymous");
  });

  it("brings an error back with code, sentence, facts and when to try again", async () => {
    const facts = { reason: "ALIAS_MOVED", field: "alias", remedy: "Read it again — ü.", retryAfterMs: 1500 };
    const server = await serve({
      getModel: () => {
        throw new AimassError("ABORTED", "The alias points elsewhere.", { ...facts, cause: new Error("secret") });
      },
    });
    const error = await failure(models(server).getModel({}));
    expect(error).toMatchObject({ code: "ABORTED", message: "The alias points elsewhere.", ...facts });
    expect(JSON.stringify(error)).not.toContain("secret");
  });

  it("does not give away what went wrong inside", async () => {
    const server = await serve({
      getModel: () => {
        throw new Error("password of the database");
      },
    });
    const error = await failure(models(server).getModel({}));
    expect(error.code).toBe("INTERNAL");
    expect(error.message).not.toContain("database");
  });

  it("ends at its deadline on both sides, even when the handler sleeps on", async () => {
    let aborted = false;
    const server = await serve({
      getModel: async (_, { signal }) => {
        signal.addEventListener("abort", () => {
          aborted = true;
        });
        await systemClock.sleep(5000);
        return {};
      },
    });
    const startedAt = performance.now();
    const error = await failure(models(server).getModel({}, { timeoutMs: 150 }));
    expect(error.code).toBe("DEADLINE_EXCEEDED");
    expect(performance.now() - startedAt).toBeLessThan(2000);
    await systemClock.sleep(50);
    expect(aborted).toBe(true);
  });

  it("is refused over the size limit", async () => {
    const server = await serve({ createModel: () => ({}) }, {}, { readMaxBytes: 1000 });
    const error = await failure(models(server).createModel({ description: "x".repeat(2000) }));
    expect(error.code).toBe("RESOURCE_EXHAUSTED");
  });
});

describe("a caller without a right to be here", () => {
  const ok: Models = { getModel: () => ({}) };
  /** As its own caller reads it, who did nothing wrong. */
  const refusedToken = { code: "UNAVAILABLE", reason: "SERVICE_TOKEN_REFUSED", cause: { code: "UNAUTHENTICATED" } };

  it("is refused with a key the mesh does not trust", async () => {
    const server = await serve(ok);
    const stranger = identity("trainer", systemClock, generateMeshIdentity(["trainer"]));
    expect(await failure(models(server, { identity: stranger }).getModel({}))).toMatchObject(refusedToken);
  });

  it("is refused with a token that has expired", async () => {
    const server = await serve(ok);
    const anHourAgo: Clock = { ...systemClock, now: () => Date.now() - 3_600_000 };
    const late = identity("trainer", anHourAgo);
    expect(await failure(models(server, { identity: late }).getModel({}))).toMatchObject(refusedToken);
  });

  it("is refused without a token, before its request is read", async () => {
    const server = await serve(ok);
    const headers = { "aimass-service": "" };
    expect(await failure(models(server).getModel({}, { headers }))).toMatchObject(refusedToken);
  });

  it("is refused in a role the service does not take, or acting for someone it may not act for", async () => {
    const server = await serve(
      ok,
      {},
      { allowRoles: (s) => (s === ModelService ? ["router", "inference"] : undefined) },
    );
    expect((await failure(models(server).getModel({}))).code).toBe("PERMISSION_DENIED");
    const replica = models(server, { identity: identity("inference"), onBehalfOf: "user:admin" });
    expect((await failure(replica.getModel({}))).code).toBe("PERMISSION_DENIED");
    const open = await serve(ok);
    for (const role of ["trainer", "inference"]) {
      const acting = models(open, { identity: identity(role), onBehalfOf: "user:admin" });
      expect(await failure(acting.getModel({}))).toMatchObject({ code: "PERMISSION_DENIED", reason: "SERVICE_ROLE" });
    }
    await models(open, { identity: identity("router"), onBehalfOf: "user:admin" }).getModel({});
    const lent = await serve(ok, {}, { actingRoles: ["router", "trainer"] });
    await models(lent, { onBehalfOf: "user:admin" }).getModel({});
    const router = models(server, { identity: identity("router"), onBehalfOf: "service:auth" });
    expect((await failure(router.getModel({}))).code).toBe("UNAUTHENTICATED");
  });
});

describe("a node", () => {
  it("calls what names its role, and nothing else", async () => {
    const node = { identity: identity("inference") };
    const ok = { getModel: () => ({}) };
    const unnamed = await serve(ok);
    const refused = { code: "PERMISSION_DENIED", reason: "SERVICE_ROLE" };
    expect(await failure(models(unnamed, node).getModel({}))).toMatchObject(refused);
    await models(unnamed).getModel({});
    const named = await serve(ok, {}, { allowRoles: () => ["inference"] });
    await models(named, node).getModel({});
  });
});

describe("a clock that is two hours off and is set right", () => {
  it.each([7_200_000, -7_200_000])("costs no call afterwards, on either side: %i ms", async (off) => {
    const wrong = { ...systemClock, off, now: nowWithOffset };
    const own = await serve({ getModel: () => ({}) }, {}, { identity: identity("registry", wrong), clock: wrong });
    const other = await serve({ getModel: () => ({}) });
    const clients = [
      models(own),
      models(own, { identity: identity("trainer", wrong) }),
      models(other, { identity: identity("trainer", wrong) }),
    ];
    const ask = () => Promise.allSettled(clients.map((client) => client.getModel({})));
    expect((await ask()).map((outcome) => outcome.status)).toEqual(["rejected", "fulfilled", "rejected"]);
    wrong.off = 0;
    expect((await ask()).map((outcome) => outcome.status)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
  });
});

function nowWithOffset(this: { off: number }): number {
  return Date.now() + this.off;
}

describe("a stream", () => {
  it("carries an upload of many chunks and a download of any size", async () => {
    const size = 40;
    const chunk = new Uint8Array(512 * 1024).fill(7);
    const server = await serve(
      {},
      {
        async writeUpload(requests) {
          let receivedBytes = 0n;
          for await (const request of requests) receivedBytes += BigInt(request.chunk.length);
          return { receivedBytes, complete: true };
        },
        async *readArtifact() {
          for (let i = 0; i < size; i++) yield { chunk };
        },
      },
    );
    async function* upload() {
      for (let i = 0; i < size; i++) yield { chunk };
    }
    const answer = await artifacts(server).writeUpload(upload());
    expect(answer.receivedBytes).toBe(BigInt(size * chunk.length));
    let read = 0;
    for await (const part of artifacts(server).readArtifact({})) read += part.chunk.length;
    expect(read).toBe(size * chunk.length);
  });

  it("ends at the server when its reader stops, and brings back an error from its middle", async () => {
    let stopped: () => void = () => {};
    const ended = new Promise<void>((resolve) => {
      stopped = resolve;
    });
    const server = await serve(
      {},
      {
        async *readArtifact({ offset }, { signal }) {
          signal.addEventListener("abort", () => stopped());
          yield { chunk: new Uint8Array(1) };
          if (offset === 1n) throw new AimassError("DATA_LOSS", "The file is damaged.");
          await new Promise(() => {});
        },
      },
    );
    for await (const _ of artifacts(server).readArtifact({})) break;
    await ended;
    const drainAll = async () => {
      for await (const _ of artifacts(server).readArtifact({ offset: 1n }));
    };
    expect(await failure(drainAll())).toMatchObject({ code: "DATA_LOSS", message: "The file is damaged." });
  });

  it("stops when the caller's signal aborts, and when its input breaks", async () => {
    const server = await serve(
      {},
      {
        async *readArtifact() {
          await new Promise(() => {});
        },
        async writeUpload(requests) {
          for await (const _ of requests);
          return {};
        },
      },
    );
    const controller = new AbortController();
    const reading = (async () => {
      for await (const _ of artifacts(server).readArtifact({}, { signal: controller.signal }));
    })();
    setTimeout(() => controller.abort(), 50);
    expect((await failure(reading)).code).toBe("CANCELLED");
    async function* broken() {
      yield { chunk: new Uint8Array(1) };
      throw new AimassError("FAILED_PRECONDITION", "The file vanished.");
    }
    expect((await failure(artifacts(server).writeUpload(broken()))).code).toBe("FAILED_PRECONDITION");
  });

  it("of an upload ends early when the server refuses it", async () => {
    const server = await serve(
      {},
      {
        async writeUpload() {
          throw new AimassError("NOT_FOUND", "There is no such upload.");
        },
      },
    );
    async function* endless() {
      while (true) yield { chunk: new Uint8Array(256 * 1024) };
    }
    expect((await failure(artifacts(server).writeUpload(endless()))).code).toBe("NOT_FOUND");
  });
});

describe("a call whose connection broke before its answer", () => {
  it.each([
    { method: "getModel", declared: "without side effects", tries: 2 },
    { method: "requestReview", declared: "idempotent", tries: 2 },
    { method: "moveAlias", declared: "nothing", tries: 1 },
  ] as const)("is sent again as the contract declares it: $method, $declared", async ({ method, tries }) => {
    const sockets = new Set<Socket>();
    let calls = 0;
    const answer = async (): Promise<object> => {
      if (++calls > 1) return {};
      for (const socket of sockets) socket.destroy();
      await systemClock.sleep(1000);
      return {};
    };
    const routes: ServeRpcOptions["routes"] = (router) =>
      router
        .service(ModelService, { getModel: answer, requestReview: answer })
        .service(AliasService, { moveAlias: answer });
    const server = await serve({}, {}, { routes });
    const line = createServer((client) => {
      const upstream = connect(server.address.port, server.address.host);
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.add(socket);
        socket.on("error", () => {}).on("close", () => other.destroy());
        socket.pipe(other);
      }
    });
    await once(line.listen(0, "127.0.0.1"), "listening");
    const { port } = line.address() as AddressInfo;
    const options = { addresses: [{ host: "127.0.0.1", port }], identity: identity("trainer") };
    const [models, aliases] = [createServiceClient(ModelService, options), createServiceClient(AliasService, options)];
    const call = method === "moveAlias" ? aliases.moveAlias({}) : models[method]({});
    const outcome = await call.then(() => "answered", fromConnectError);
    line.close();
    expect(calls).toBe(tries);
    if (tries === 1) expect(outcome).toMatchObject({ code: "UNAVAILABLE" });
    else expect(outcome).toBe("answered");
  });
});

describe("a server that goes", () => {
  it("comes back on the same port, and its client recovers", async () => {
    const handlers: Models = { getModel: () => ({ model: { name: "here" } }) };
    const first = await serve(handlers);
    const client = models(first);
    await client.getModel({});
    await first.drain(0);
    const waiting = client.getModel({});
    await systemClock.sleep(300);
    await serve(handlers, {}, { listen: first.address });
    expect((await waiting).model?.name).toBe("here");
  });

  it("and stays away is named after the deadline", async () => {
    const server = await serve({});
    await server.drain(0);
    const error = await failure(models(server).getModel({}, { timeoutMs: 300 }));
    expect(error).toMatchObject({ code: "UNAVAILABLE", message: "aimass.registry.v1.ModelService cannot be reached." });
  });

  it("finishes the call it has, refuses new ones, and ends endless streams", async () => {
    const server = await serve({
      getModel: async () => {
        await systemClock.sleep(400);
        return { model: { name: "finished" } };
      },
    });
    const client = models(server);
    const health = createServiceClient(Health, { addresses: [server.address], identity: identity("trainer") });
    const states: Status[] = [];
    const watching = (async () => {
      for await (const { status } of health.watch({})) states.push(status);
    })().catch(() => {});
    const running = client.getModel({});
    await systemClock.sleep(150);
    const startedAt = performance.now();
    const drained = server.drain(5000);
    expect((await running).model?.name).toBe("finished");
    await drained;
    expect(performance.now() - startedAt).toBeLessThan(3000);
    await watching;
    expect(states[0]).toBe(Status.SERVING);
    expect((await failure(client.getModel({}, { timeoutMs: 200 }))).code).toBe("UNAVAILABLE");
  });

  it("is passed over for one that is there", async () => {
    const names = ["a", "b"];
    const [a, b] = await Promise.all(names.map((name) => serve({ getModel: () => ({ model: { name } }) })));
    const addresses = [(a as RpcServer).address, (b as RpcServer).address];
    const client = createServiceClient(ModelService, { addresses, identity: identity("trainer") });
    const seen = new Set<string | undefined>();
    for (let i = 0; i < 20; i++) seen.add((await client.getModel({})).model?.name);
    expect([...seen].sort()).toEqual(names);
    await (a as RpcServer).drain(0);
    for (let i = 0; i < 20; i++) expect((await client.getModel({})).model?.name).toBe("b");
  });
});
