import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import { chmod, copyFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { AccessService, AuditService, DirectoryService, Effect, Level, SessionService } from "@aimass/api/auth";
import { ModelInferRequestSchema, ModelInferResponseSchema } from "@aimass/api/inference";
import { AliasService, ModelService, ProjectService, ReviewDecision, VersionState } from "@aimass/api/registry";
import { AnnounceNodeRequestSchema, AttachReplicaRequestSchema, FleetService } from "@aimass/api/scheduler";
import { Connection, CredentialsFile, Output, pushModel } from "@aimass/cli";
import { systemClock } from "@aimass/core";
import { generateMeshIdentity, ServiceIdentity } from "@aimass/identity";
import { mlpModel, tinyModel } from "@aimass/onnx/samples";
import { waitFor } from "@aimass/testkit";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Command } from "../support/command.ts";
import { expectHelpful, restError } from "../support/helpful.ts";
import { type GrpcAnswer, GrpcCaller, type HttpAnswer, http, inferPath } from "../support/plain-calls.ts";
import { TestMesh } from "../support/test-mesh.ts";

const [ok, notFound, permissionDenied, unimplemented, unauthenticated] = [0, 5, 7, 12, 16];
const password = "correct horse battery staple";

let mesh: TestMesh;
let grpc: GrpcCaller;
let identities: Record<"router" | "inference" | "trainer", ServiceIdentity>;
let replica: string;

/** Two models that serve ("open" and "secret"), three people, each with nothing granted but what a test grants. */
beforeAll(async () => {
  mesh = await TestMesh.start({ replicas: 1 });
  await mesh.serve("open", tinyModel(1), 1);
  await mesh.serve("secret", tinyModel(2), 1);
  grpc = new GrpcCaller(mesh.address());
  const load = (role: string) =>
    ServiceIdentity.load(mesh.mesh.data.identityFile(role), mesh.mesh.data.trustFile, systemClock);
  identities = { router: await load("router"), inference: await load("inference"), trainer: await load("trainer") };
  const { nodes } = await mesh.admin.client(FleetService).listNodes({});
  replica = nodes[0]?.replicas[0]?.address ?? expect.fail();
}, 120_000);

afterAll(async () => {
  grpc?.[Symbol.dispose]();
  await mesh?.[Symbol.asyncDispose]();
});

const directory = () => mesh.admin.client(DirectoryService);
const access = () => mesh.admin.client(AccessService);
const sessions = () => mesh.admin.client(SessionService);

const grant = (subject: string, resource: string, level: Level, effect = Effect.ALLOW) =>
  access().putGrant({ grant: { subject, resource, level, effect } });

/** A program's key with what it may infer. */
async function keyFor(name: string, resource?: string, expiresInMs?: number): Promise<{ id: string; secret: string }> {
  await directory()
    .createServiceAccount({ name })
    .catch(() => undefined);
  const principal = `service-account:${name}`;
  if (resource !== undefined) await grant(principal, resource, Level.INFER);
  const expiry = expiresInMs === undefined ? {} : { expiresAt: timestampFromDate(new Date(Date.now() + expiresInMs)) };
  const { key, secret } = await directory().createApiKey({ principal, ...expiry });
  return { id: key?.id ?? "", secret };
}

async function userWith(name: string): Promise<Connection> {
  await directory().createUser({ name, password });
  const file = new CredentialsFile(join(mesh.folder, `${name}.json`));
  const connection = new Connection(mesh.mesh.url(), { kind: "session", file });
  await connection.signIn(name, password);
  return connection;
}

async function tokenOf(connection: Connection): Promise<string> {
  return (await connection.authorization())?.slice("Bearer ".length) ?? expect.fail();
}

interface Asked {
  readonly model?: string;
  readonly version?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const bearer = (token: string | undefined) => (token === undefined ? {} : { authorization: `Bearer ${token}` });

function inferGrpc(token: string | undefined, { model = "open", version = "", headers = {} }: Asked = {}) {
  const request = create(ModelInferRequestSchema, {
    modelName: model,
    modelVersion: version,
    inputs: [{ name: "x", datatype: "FP32", shape: [1n, 4n] }],
    rawInputContents: [new Uint8Array(16)],
  });
  return grpc.call(inferPath, toBinary(ModelInferRequestSchema, request), { ...bearer(token), ...headers });
}

function inferRest(token: string | undefined, { model = "open", version = "", headers = {} }: Asked = {}) {
  const at = `/v2/models/${model}${version === "" ? "" : `/versions/${version}`}/infer`;
  const inputs = [{ name: "x", datatype: "FP32", shape: [1, 4], data: [0, 0, 0, 0] }];
  return http(`${mesh.mesh.url()}${at}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...bearer(token), ...headers },
    body: JSON.stringify({ inputs }),
  });
}

function predict(token: string | undefined, model = "open") {
  return http(`${mesh.mesh.url()}/models/${model}/predict`, {
    method: "POST",
    headers: bearer(token),
    body: JSON.stringify({ inputs: [[0, 0, 0, 0]] }),
  });
}

/** The same refusal at every door: gRPC's code, REST's status, the same sentence. */
async function expectRefused(token: string | undefined, code: number, status: number, asked: Asked = {}) {
  const [byGrpc, byRest] = await Promise.all([inferGrpc(token, asked), inferRest(token, asked)]);
  expect(byGrpc.code).toBe(code);
  expect(byRest.status).toBe(status);
  expect(restError(byRest.text)).toBe(byGrpc.message);
  expectHelpful(byGrpc.message);
  return byGrpc.message;
}

async function expectServed(token: string | undefined, asked: Asked = {}): Promise<void> {
  const [byGrpc, byRest] = await Promise.all([inferGrpc(token, asked), inferRest(token, asked)]);
  expect([byGrpc.code, byRest.status]).toEqual([ok, 200]);
}

async function refusalOf(work: Promise<unknown>): Promise<ConnectError> {
  const error = await work.then(
    () => expect.fail("was not refused"),
    (thrown: unknown) => ConnectError.from(thrown),
  );
  expectHelpful(error.rawMessage);
  return error;
}

const encodePart = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
const partsOf = (token: string) =>
  token
    .split(".")
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>);

describe("a call", () => {
  it("without a credential is UNAUTHENTICATED, whether the model exists or not", async () => {
    const existing = await expectRefused(undefined, unauthenticated, 401);
    const missing = await expectRefused(undefined, unauthenticated, 401, { model: "nothing" });
    expect(missing).toBe(existing);
    expect((await predict(undefined)).status).toBe(401);
  });

  it.each([
    ["garbage", "garbage"],
    ["an API key that never was", `aim_0123456789abcdef_${"A".repeat(43)}`],
    ["half an API key", "aim_0123456789abcdef"],
    ["an empty JWT", ".."],
    ["a very long text", "x".repeat(8000)],
  ])("with %s for a credential is UNAUTHENTICATED", async (_what, token) => {
    await expectRefused(token, unauthenticated, 401);
  });

  it("with another scheme than Bearer is told what to send", async () => {
    const headers = { authorization: "Basic YWRtaW46YWRtaW4=" };
    expect(await expectRefused(undefined, unauthenticated, 401, { headers })).toMatch(/Bearer/);
  });

  it("with an API key is served by authorization and by x-api-key, until the key expires", async () => {
    const key = await keyFor("short-lived", "default.open", 2000);
    await expectServed(key.secret);
    await expectServed(undefined, { headers: { "x-api-key": key.secret } });
    await waitFor(async () => (await inferGrpc(key.secret)).code !== ok, {
      timeoutMs: 5000,
      what: "the key to expire",
    });
    expect(await expectRefused(key.secret, unauthenticated, 401)).toMatch(/expired/);
  });

  it("with an API key is refused right after RevokeApiKey returned", async () => {
    const key = await keyFor("revoked", "default.open");
    await expectServed(key.secret);
    const { acknowledgement } = await directory().revokeApiKey({ id: key.id });
    await expectRefused(key.secret, unauthenticated, 401);
    expect(acknowledgement?.missing).toEqual([]);
    expect(acknowledgement?.acknowledged.some((name) => name.startsWith("router/"))).toBe(true);
    expect((await predict(key.secret)).status).toBe(401);
  });

  it("with a right key and a wrong secret is refused", async () => {
    const key = await keyFor("guessed", "default.open");
    const other = key.secret.endsWith("A") ? "B" : "A";
    await expectRefused(`${key.secret.slice(0, -1)}${other}`, unauthenticated, 401);
    await expectServed(key.secret);
  });

  it("is refused right after the grant was taken back, and a deny wins over an allow", async () => {
    const key = await keyFor("denied", "default");
    await expectServed(key.secret, { model: "secret" });
    const deny = await grant("service-account:denied", "default.secret", Level.INFER, Effect.DENY);
    await expectRefused(key.secret, notFound, 404, { model: "secret" });
    await expectServed(key.secret);
    await access().deleteGrant({ id: deny.grant?.id ?? "" });
    await expectServed(key.secret, { model: "secret" });
  });
});

describe("an access token", () => {
  let user: Connection;
  let token: string;

  beforeAll(async () => {
    user = await userWith("ada");
    await grant("user:ada", "default.open", Level.INFER);
    token = await tokenOf(user);
  });

  it("is served as long as it is what was issued", () => expectServed(token));

  /** Forged copies of a token: its header and claims changed, then signed by whoever forges. */
  const forgeries: readonly (readonly [string, (token: string) => string])[] = [
    [
      "of algorithm none",
      (text) => {
        const [head, claims] = partsOf(text);
        return `${encodePart({ ...head, alg: "none" })}.${encodePart(claims as object)}.`;
      },
    ],
    [
      "of algorithm none with a signature",
      (text) => {
        const [head, claims] = partsOf(text);
        return `${encodePart({ ...head, alg: "none" })}.${encodePart(claims as object)}.AAAA`;
      },
    ],
    [
      "that claims to be admin",
      (text) => {
        const [head, , signature] = text.split(".");
        const [, claims] = partsOf(text);
        return `${head}.${encodePart({ ...claims, sub: "user:admin" })}.${signature}`;
      },
    ],
    [
      "that claims a longer life",
      (text) => {
        const [head, , signature] = text.split(".");
        const [, claims] = partsOf(text);
        return `${head}.${encodePart({ ...claims, exp: Number(claims?.exp) + 86_400 })}.${signature}`;
      },
    ],
    [
      "signed by a key of the forger's under the right key id",
      (text) => {
        const body = text.split(".").slice(0, 2).join(".");
        const { privateKey } = generateKeyPairSync("ed25519");
        return `${body}.${sign(null, Buffer.from(body), privateKey).toString("base64url")}`;
      },
    ],
    [
      "of an unknown key id",
      (text) => {
        const [head, claims] = partsOf(text);
        const body = `${encodePart({ ...head, kid: "mine" })}.${encodePart(claims as object)}`;
        const { privateKey } = generateKeyPairSync("ed25519");
        return `${body}.${sign(null, Buffer.from(body), privateKey).toString("base64url")}`;
      },
    ],
    ["without its signature", (text) => `${text.split(".").slice(0, 2).join(".")}.`],
    ["cut short", (text) => text.slice(0, -10)],
  ];

  it.each(forgeries)("%s is UNAUTHENTICATED", async (_what, forge) => {
    await expectRefused(forge(token), unauthenticated, 401);
    const response = await http(`${mesh.mesh.url()}/aimass.auth.v1.SessionService/WhoAmI`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${forge(token)}` },
      body: "{}",
    });
    expect(response.status).toBe(401);
  });

  it("signed with the public key as a shared secret (HS256) is UNAUTHENTICATED", async () => {
    const { jwksJson } = await sessions().getJwks({});
    const jwk = (JSON.parse(jwksJson) as { keys: { x: string }[] }).keys[0];
    const [head, claims] = partsOf(token);
    const body = `${encodePart({ ...head, alg: "HS256" })}.${encodePart(claims as object)}`;
    const secret = Buffer.from(jwk?.x ?? "", "base64url");
    const mac = createHmac("sha256", secret).update(body).digest("base64url");
    await expectRefused(`${body}.${mac}`, unauthenticated, 401);
  });

  it("of a service is no token of a user", async () => {
    await expectRefused(identities.router.token(), unauthenticated, 401);
  });

  it("of a disabled user is refused right after UpdateUser returned, as are the password and the session", async () => {
    const eve = await userWith("eve");
    await grant("user:eve", "default.open", Level.INFER);
    const evesToken = await tokenOf(eve);
    const { secret } = await eve.client(DirectoryService).createApiKey({ description: "eve's own" });
    const { tokens } = await sessions().signIn({ username: "eve", password });
    await expectServed(evesToken);
    await expectServed(secret);
    await directory().updateUser({ name: "eve", disabled: true });
    await expectRefused(evesToken, unauthenticated, 401);
    await expectRefused(secret, unauthenticated, 401);
    const refresh = await refusalOf(sessions().refreshSession({ refreshToken: tokens?.refreshToken ?? "" }));
    expect(refresh.code).toBe(Code.Unauthenticated);
    const signIn = await refusalOf(sessions().signIn({ username: "eve", password }));
    expect(signIn.code).toBe(Code.Unauthenticated);
  });
});

describe("a sign-in", () => {
  it("tells a wrong name and a wrong password apart to nobody", async () => {
    const wrongPassword = await refusalOf(sessions().signIn({ username: "ada", password: "not her password" }));
    const wrongName = await refusalOf(sessions().signIn({ username: "nobody", password: "not her password" }));
    expect(wrongPassword.code).toBe(Code.Unauthenticated);
    expect(wrongName.code).toBe(wrongPassword.code);
    expect(wrongName.rawMessage).toBe(wrongPassword.rawMessage);
  });

  it("ends when its refresh token is replayed after the grace", async () => {
    const first = (await sessions().signIn({ username: "ada", password })).tokens ?? expect.fail();
    const second = (await sessions().refreshSession({ refreshToken: first.refreshToken })).tokens ?? expect.fail();
    // Two clients of one person at once are no theft.
    await sessions().refreshSession({ refreshToken: first.refreshToken });
    await database((client) =>
      client.query("update auth.refresh_token set replaced_at = replaced_at - interval '11 seconds'"),
    );
    const replay = await refusalOf(sessions().refreshSession({ refreshToken: first.refreshToken }));
    expect(replay.code).toBe(Code.Unauthenticated);
    expect(replay.rawMessage).toMatch(/used before/);
    const thief = await refusalOf(sessions().refreshSession({ refreshToken: second.refreshToken }));
    expect(thief.code).toBe(Code.Unauthenticated);
    await waitFor(async () => (await inferGrpc(second.accessToken)).code === unauthenticated, {
      timeoutMs: 5000,
      what: "the session's access token to be refused",
    });
  });
});

/** Work on the database as its superuser, behind the back of every service. */
async function database<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: mesh.mesh.postgres?.url ?? expect.fail() });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Without what differs from answer to answer: the time. */
const fieldsOf = ({ metadata }: GrpcAnswer, name: string) =>
  Object.fromEntries(
    Object.entries(metadata)
      .filter(([key]) => key !== "date")
      .map(([key, value]) => [key, value.replaceAll(name, "NAME")]),
  );
const headersOf = ({ headers }: HttpAnswer) =>
  Object.fromEntries(Object.entries(headers).filter(([key]) => !["date", "content-length"].includes(key)));

describe("someone else's model", () => {
  let token: string;
  const hidden = "secret";
  const missing = "nonexistent";

  beforeAll(async () => {
    token = (await keyFor("stranger", "default.open")).secret;
  });

  it("answers an inference exactly as a model that does not exist", async () => {
    for (const version of ["", "1", "default", "99"]) {
      const [a, b] = [
        await inferGrpc(token, { model: hidden, version }),
        await inferGrpc(token, { model: missing, version }),
      ];
      expect(a.code).toBe(notFound);
      expect(b.code).toBe(a.code);
      expect(b.message.replaceAll(missing, "NAME")).toBe(a.message.replaceAll(hidden, "NAME"));
      const without = (fields: Record<string, string>) => ({ ...fields, "grpc-status-details-bin": undefined });
      expect(without(fieldsOf(b, missing))).toEqual(without(fieldsOf(a, hidden)));
    }
  });

  it.each([
    ["GET", "", ""],
    ["GET", "/ready", ""],
    ["GET", "/config", ""],
    ["GET", "/stats", ""],
    ["GET", "/versions/1", ""],
    ["POST", "/infer", '{"inputs": []}'],
    ["POST", "/infer", "garbage"],
    ["POST", "/versions/1/infer", '{"inputs": []}'],
  ])("answers %s %s with the status, headers and words of a model that does not exist", async (method, path, body) => {
    const ask = (model: string) =>
      http(`${mesh.mesh.url()}/v2/models/${model}${path}`, {
        method,
        headers: bearer(token),
        ...(body === "" ? {} : { body }),
      });
    const [a, b] = [await ask(hidden), await ask(missing)];
    expect(a.status).not.toBe(200);
    expect(b.status).toBe(a.status);
    expect(b.text.replaceAll(missing, "NAME")).toBe(a.text.replaceAll(hidden, "NAME"));
    expect(headersOf(b)).toEqual(headersOf(a));
  });

  it("is in no index, no list and no control-plane answer", async () => {
    const index = await http(`${mesh.mesh.url()}/v2/repository/index`, { method: "POST", headers: bearer(token) });
    expect(index.text).toContain("open");
    expect(index.text).not.toContain(hidden);
    const stranger = new Connection(mesh.mesh.url(), { kind: "api-key", key: token });
    const models = stranger.client(ModelService);
    expect((await models.listModels({})).models.map((m) => m.name)).toEqual(["open"]);
    const [a, b] = [
      await refusalOf(models.getModel({ project: "default", name: hidden })),
      await refusalOf(models.getModel({ project: "default", name: missing })),
    ];
    expect(a.code).toBe(Code.NotFound);
    expect(b.code).toBe(a.code);
    expect(b.rawMessage.replaceAll(missing, "NAME")).toBe(a.rawMessage.replaceAll(hidden, "NAME"));
    const move = { project: "default", alias: "default", version: 1n };
    const [c, d] = [
      await refusalOf(stranger.client(AliasService).moveAlias({ ...move, model: hidden })),
      await refusalOf(stranger.client(AliasService).moveAlias({ ...move, model: missing })),
    ];
    expect(c.code).toBe(Code.NotFound);
    expect(d.code).toBe(c.code);
    expect(d.rawMessage.replaceAll(missing, "NAME")).toBe(c.rawMessage.replaceAll(hidden, "NAME"));
  });

  it("can be run through the alias that was granted, and by no other way", async () => {
    const key = (await keyFor("alias-only", "default.secret@default")).secret;
    await expectServed(key, { model: "secret" });
    await expectServed(key, { model: "secret", version: "default" });
    await expectRefused(key, notFound, 404, { model: "secret", version: "1" });
    await expectRefused(key, notFound, 404, { model: "secret", version: "other" });
    await expectRefused(key, notFound, 404, { model: "open" });
  });
});

describe("headers that only the mesh may set", () => {
  it("change nothing when a client sends them", async () => {
    const { secret } = await keyFor("forger", "default.open");
    const headers = {
      "aimass-principal": "user:admin",
      "aimass-service": identities.router.token(),
      "aimass-model": "default.secret",
      "aimass-version": "7",
      "aimass-attempt": "2",
    };
    const answer = await inferGrpc(secret, { headers });
    expect(answer.code).toBe(ok);
    expect(fromBinary(ModelInferResponseSchema, answer.body)).toMatchObject({ modelName: "open", modelVersion: "1" });
    await expectServed(secret, { headers });
    await expectRefused(secret, notFound, 404, { model: "secret", headers });
    await expectRefused(undefined, unauthenticated, 401, { headers });
  });

  it("make nobody an administrator", async () => {
    const ask = (path: string, body: object) =>
      http(`${mesh.mesh.url()}/${path}`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "aimass-principal": "user:admin",
          "aimass-service": identities.router.token(),
        },
        body: JSON.stringify(body),
      });
    expect([401, 403]).toContain((await ask("aimass.auth.v1.DirectoryService/ListUsers", {})).status);
    expect([401, 403]).toContain((await ask("aimass.auth.v1.AuditService/ListEntries", {})).status);
    expect((await ask("aimass.registry.v1.ModelService/ListModels", {})).text).not.toContain("secret");
  });
});

describe("a direct call to a replica", () => {
  const infer = async (headers: Record<string, string>) => {
    using caller = new GrpcCaller(replica);
    const request = create(ModelInferRequestSchema, { modelName: "open", inputs: [], rawInputContents: [] });
    return await caller.call(inferPath, toBinary(ModelInferRequestSchema, request), headers);
  };

  it.each<[string, () => Promise<Record<string, string>>]>([
    ["without a token", async () => ({})],
    ["with an administrator's token", async () => bearer(await tokenOf(mesh.admin))],
    ["with an administrator's token as a service's", async () => ({ "aimass-service": await tokenOf(mesh.admin) })],
    ["with an API key", async () => bearer(mesh.apiKey)],
    ["with a trainer's token", async () => ({ "aimass-service": identities.trainer.token() })],
    ["with a replica's own token", async () => ({ "aimass-service": identities.inference.token() })],
    ["with garbage", async () => ({ "aimass-service": "garbage", "aimass-principal": "user:admin" })],
    ["with a made-up router's token", async () => ({ "aimass-service": rogue("router").token() })],
  ])("%s is refused", async (_what, headersFor) => {
    const headers = await headersFor();
    const answer = await infer(headers);
    expect(answer.code).toBe(unauthenticated);
    expectHelpful(answer.message);
    const rest = await http(`http://${replica}/v2/models/open`, { headers });
    expect(rest.status).toBe(401);
  });
});

/** An identity that nobody in the mesh knows. */
function rogue(role: string): ServiceIdentity {
  const { identities: made, trust } = generateMeshIdentity([role]);
  return new ServiceIdentity(made.get(role) ?? expect.fail(), trust, systemClock);
}

const rpcAddress = (name: string) => {
  const state = mesh.mesh.processes.get(name)?.state;
  return state?.kind === "ready" ? (state.addresses.rpc ?? expect.fail()) : expect.fail();
};

async function callDirectly(service: string, path: string, headers: Record<string, string>): Promise<GrpcAnswer> {
  using caller = new GrpcCaller(rpcAddress(service));
  return await caller.call(path, Buffer.alloc(0), headers);
}

describe("a direct call to a service's port", () => {
  const targets = [
    ["auth", "/aimass.auth.v1.DirectoryService/ListUsers"],
    ["auth", "/aimass.auth.v1.PolicyService/WatchPolicy"],
    ["registry", "/aimass.registry.v1.ModelService/ListModels"],
    ["registry", "/aimass.registry.v1.LibraryService/ListServable"],
    ["scheduler", "/aimass.scheduler.v1.FleetService/ListNodes"],
    ["scheduler", "/aimass.scheduler.v1.RouteService/WatchRoutes"],
    ["trainer", "/aimass.trainer.v1.TrainingService/ListJobs"],
  ] as const;

  it.each(targets)("%s %s needs a service's identity, whoever calls", async (service, path) => {
    const admin = bearer(await tokenOf(mesh.admin));
    for (const headers of [
      {},
      admin,
      { ...admin, "aimass-service": "garbage" },
      { ...admin, "aimass-service": rogue("router").token() },
      { "aimass-principal": "user:admin" },
    ] as Record<string, string>[]) {
      const answer = await callDirectly(service, path, headers);
      expect(answer.code).toBe(unauthenticated);
      expectHelpful(answer.message);
    }
  });

  it.each([
    ["auth", "/aimass.auth.v1.DirectoryService/ListUsers", "user:admin"],
    ["registry", "/aimass.registry.v1.ModelService/ListModels", "user:admin"],
    ["scheduler", "/aimass.scheduler.v1.FleetService/ListNodes", "user:admin"],
    ["scheduler", "/aimass.scheduler.v1.RouteService/WatchRoutes", ""],
    ["auth", "/aimass.auth.v1.DirectoryService/ListUsers", ""],
    ["auth", "/aimass.auth.v1.AuditService/ListEntries", ""],
  ])("%s %s by a replica is refused (on behalf of %j)", async (service, path, principal) => {
    const answer = await callDirectly(service, path, {
      "aimass-service": identities.inference.token(),
      ...(principal === "" ? {} : { "aimass-principal": principal }),
    });
    expect(answer.code).toBe(permissionDenied);
    expectHelpful(answer.message);
  });

  it("a router may not read the library", async () => {
    const headers = { "aimass-service": identities.router.token() };
    const answer = await callDirectly("registry", "/aimass.registry.v1.LibraryService/ListServable", headers);
    expect(answer.code).toBe(permissionDenied);
  });
});

describe("a service for the mesh alone", () => {
  it.each([
    "aimass.auth.v1.PolicyService/WatchPolicy",
    "aimass.auth.v1.PolicyService/AcknowledgePolicy",
    "aimass.registry.v1.LibraryService/ListServable",
    "aimass.scheduler.v1.ReplicaService/AttachReplica",
    "aimass.scheduler.v1.ReplicaService/GrantRead",
    "aimass.scheduler.v1.ReplicaService/AnnounceNode",
    "aimass.scheduler.v1.RouteService/WatchRoutes",
  ])("(%s) cannot be reached through the router", async (path) => {
    const headers = { ...bearer(await tokenOf(mesh.admin)), "aimass-service": identities.inference.token() };
    const answer = await grpc.call(`/${path}`, Buffer.alloc(0), headers);
    expect(answer.code).toBe(unimplemented);
    const connect = await http(`${mesh.mesh.url()}/${path}`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: "{}",
    });
    expect(connect.status).toBe(501);
  });
});

describe("a rogue node", () => {
  const attach = toBinary(
    AttachReplicaRequestSchema,
    create(AttachReplicaRequestSchema, {
      replica: { id: "evil/cpu-0", node: "evil", address: "127.0.0.1:1", live: true, incarnation: "1" },
    }),
  );
  const announce = toBinary(AnnounceNodeRequestSchema, create(AnnounceNodeRequestSchema, { node: "evil" }));

  it.each<[string, () => ServiceIdentity | string]>([
    ["an identity of its own making", () => rogue("inference")],
    ["a made-up token", () => "eyJhbGciOiJub25lIn0.e30."],
    ["the identity of a trainer", () => identities.trainer],
    ["the identity of a router", () => identities.router],
  ])("with %s joins nothing", async (_what, identityOf) => {
    const identity = identityOf();
    const token = typeof identity === "string" ? identity : identity.token();
    using caller = new GrpcCaller(rpcAddress("scheduler"));
    for (const [method, message] of [
      ["AttachReplica", attach],
      ["AnnounceNode", announce],
    ] as const) {
      const path = `/aimass.scheduler.v1.ReplicaService/${method}`;
      const answer = await caller.call(path, message, { "aimass-service": token });
      expect([unauthenticated, permissionDenied]).toContain(answer.code);
      expectHelpful(answer.message);
    }
    const fleet = await mesh.admin.client(FleetService).listNodes({});
    expect(fleet.nodes.map((node) => node.name)).toEqual(["local"]);
    expect(fleet.standaloneReplicas).toEqual([]);
  });
});

describe("a project that requires review", () => {
  let author: Connection;
  let reviewer: Connection;

  const push = (connection: Connection, bytes: Uint8Array) => {
    const path = join(mesh.folder, "fraud.onnx");
    writeFileSync(path, bytes);
    return pushModel({ connection, output: new Output({ json: true }), project: "bank", model: "fraud", path });
  };
  const at = (version: bigint) => ({ project: "bank", model: "fraud", version });
  const decide = (connection: Connection, version: bigint, decision: ReviewDecision) =>
    connection.client(ModelService).decideReview({ ...at(version), decision, comment: "looked at" });
  const move = (version: bigint) =>
    reviewer.client(AliasService).moveAlias({ ...at(version), alias: "default", reason: "review" });

  beforeAll(async () => {
    await mesh.admin.client(ProjectService).createProject({ project: { name: "bank", reviewRequired: true } });
    author = await userWith("author");
    reviewer = await userWith("reviewer");
    await grant("user:author", "bank", Level.EDIT);
    await grant("user:reviewer", "bank", Level.DEPLOY);
  });

  it("serves a version only after someone else approved it", async () => {
    const { version, state } = await push(author, mlpModel({ layers: [4, 2], seed: 1 }));
    expect(state).toBe(VersionState.VALIDATED);
    expect((await refusalOf(move(version))).code).toBe(Code.FailedPrecondition);
    expect((await refusalOf(decide(reviewer, version, ReviewDecision.APPROVE))).code).toBe(Code.FailedPrecondition);
    await author.client(ModelService).requestReview(at(version));
    expect((await refusalOf(decide(author, version, ReviewDecision.APPROVE))).code).toBe(Code.PermissionDenied);
    expect((await refusalOf(move(version))).code).toBe(Code.FailedPrecondition);
    const { version: approved } = await decide(reviewer, version, ReviewDecision.APPROVE);
    expect(approved?.state).toBe(VersionState.READY);
    expect((await move(version)).move).toMatchObject({ toVersion: version, movedBy: "user:reviewer" });
  });

  it("lets nobody approve their own version, whatever they may do else", async () => {
    for (const connection of [reviewer, mesh.admin]) {
      const { version } = await push(connection, mlpModel({ layers: [4, 2], seed: 2 }));
      await connection.client(ModelService).requestReview(at(version));
      const error = await refusalOf(decide(connection, version, ReviewDecision.APPROVE));
      expect(error.code).toBe(Code.PermissionDenied);
      expect(error.rawMessage).toMatch(/may not approve it.*[Ss]omeone else/);
      const { version: found } = await connection
        .client(ModelService)
        .getVersion({ ...at(version), version: String(version) });
      expect(found?.state).toBe(VersionState.IN_REVIEW);
    }
  });

  it("never serves a version that was refused", async () => {
    const { version } = await push(author, mlpModel({ layers: [4, 2], seed: 3 }));
    await author.client(ModelService).requestReview(at(version));
    const { version: refused } = await decide(reviewer, version, ReviewDecision.REFUSE);
    expect(refused?.state).toBe(VersionState.REFUSED);
    expect((await refusalOf(move(version))).code).toBe(Code.FailedPrecondition);
    expect((await refusalOf(decide(reviewer, version, ReviewDecision.APPROVE))).code).toBe(Code.FailedPrecondition);
  });
});

describe("the audit ledger", () => {
  const audit = () => mesh.admin.client(AuditService);
  let aimass: Command;

  beforeAll(async () => {
    aimass = new Command({ AIMASS_SERVER: mesh.mesh.url(), XDG_CONFIG_HOME: join(mesh.folder, "config") });
    const { status } = await aimass.run("login", "--password-file", mesh.mesh.data.adminPasswordFile);
    expect(status).toBe(0);
  });

  it("has an entry of everything that was done above, and is intact", async () => {
    const wanted = [
      ["session.signed_in", "user:ada"],
      ["session.sign_in_failed", ""],
      ["session.refresh_reuse_detected", ""],
      ["principal.created", "user:admin"],
      ["principal.updated", "user:admin"],
      ["api_key.created", "user:eve"],
      ["api_key.revoked", "user:admin"],
      ["grant.put", "user:admin"],
      ["grant.deleted", "user:admin"],
      ["project.created", "user:admin"],
      ["version.validated", "user:author"],
      ["version.ready", "user:admin"],
      ["alias.moved", "user:reviewer"],
      ["review.approved", "user:reviewer"],
      ["review.refused", "user:reviewer"],
      ["deployment.created", "user:admin"],
    ];
    for (const [action = "", actor = ""] of wanted) {
      await waitFor(async () => (await audit().listEntries({ action, actor })).entries.length > 0, {
        timeoutMs: 60_000,
        what: `an entry ${action} by ${actor || "anyone"}`,
      });
    }
    expect(await audit().verifyLedger({})).toMatchObject({ intact: true, firstBadSequence: 0n });
  });

  it.each<[string, string, number, number]>([
    ["an altered payload", "update auth.audit_entry set payload = payload || '\\x00' where sequence = 5", 5, 5],
    ["an altered hash", "update auth.audit_entry set hash = sha256(hash) where sequence = 6", 6, 6],
    ["another name on a deed", "update auth.audit_entry set actor = 'user:mallory' where sequence = 7", 7, 7],
    ["another time of a deed", "update auth.audit_entry set occurred_at = now() where sequence = 7", 7, 7],
    ["a removed entry", "delete from auth.audit_entry where sequence = 8", 8, 9],
  ])("shows %s to the server's own check and to `aimass audit verify`", async (_what, statement, sequence, first) => {
    const kept = await database(async (client) => {
      const { rows } = await client.query("select * from auth.audit_entry where sequence = $1", [sequence]);
      await client.query(statement);
      return rows as Record<string, unknown>[];
    });
    try {
      const found = await audit().verifyLedger({});
      expect(found).toMatchObject({ intact: false, firstBadSequence: BigInt(first) });
      expect(found.finding).toMatch(new RegExp(`^Entry ${sequence} `));
      const result = await aimass.run("audit", "verify");
      expect(result.stderr).toMatch(new RegExp(`NOT intact at entry ${sequence}\\b`));
      expect(result.status).not.toBe(0);
    } finally {
      await restore(kept);
    }
    expect(await audit().verifyLedger({})).toMatchObject({ intact: true });
  });

  it("shows that its newest entries were cut off after somebody took the signed head", async () => {
    const { head } = await audit().getHead({});
    const cut = "delete from auth.audit_entry where sequence >= $1 returning *";
    const removed = await database(
      async (client) => (await client.query(cut, [String(head?.sequence)])).rows as Record<string, unknown>[],
    );
    try {
      expect(await audit().verifyLedger({})).toMatchObject({ intact: false, firstBadSequence: head?.sequence });
      expect((await aimass.run("audit", "verify")).status).not.toBe(0);
    } finally {
      await restore(removed);
    }
    const intact = await aimass.run("audit", "verify");
    expect(intact.stdout).toMatch(/intact/);
    expect(intact.status).toBe(0);
  });

  it("keeps its signed heads beside the artifacts, as `aimass audit verify --head` takes them", async () => {
    const folder = join(mesh.mesh.data.folder("registry"), "artifacts", "audit-heads");
    const { head } = await audit().getHead({});
    const begin = `${String(head?.sequence).padStart(20, "0")}-`;
    const stored = async () => (await readdir(folder).catch(() => [])).find((name) => name.startsWith(begin));
    await waitFor(stored, { timeoutMs: 60_000, what: `the head of entry ${head?.sequence} in ${folder}` });
    const kept = join(mesh.folder, "kept-head.json");
    await copyFile(join(folder, (await stored()) ?? ""), kept);
    await chmod(kept, 0o600);
    expect((await aimass.run("audit", "verify", "--head", kept)).status).toBe(0);
  });

  async function restore(rows: readonly Record<string, unknown>[]): Promise<void> {
    await database(async (client) => {
      for (const row of rows) {
        const names = Object.keys(row);
        const places = names.map((_, i) => `$${i + 1}`).join(", ");
        await client.query("delete from auth.audit_entry where sequence = $1", [row.sequence]);
        await client.query(`insert into auth.audit_entry (${names.join(", ")}) values (${places})`, Object.values(row));
      }
    });
  }
});
