import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as authApi from "@aimass/api/auth";
import { AccessService, DirectoryService, Effect, Level } from "@aimass/api/auth";
import * as inferenceApi from "@aimass/api/inference";
import * as registryApi from "@aimass/api/registry";
import { AliasService, ModelService } from "@aimass/api/registry";
import * as schedulerApi from "@aimass/api/scheduler";
import * as trainerApi from "@aimass/api/trainer";
import { TrainingService } from "@aimass/api/trainer";
import { Connection, CredentialsFile, Output, pushDataset } from "@aimass/cli";
import { tinyModel } from "@aimass/onnx/samples";
import { waitFor } from "@aimass/testkit";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { restPaths } from "../../../services/router/src/doors/rest-path.ts";
import { TestMesh } from "../../support/test-mesh.ts";
import { type MatrixPrincipal, principals, rightsOf } from "./principals.ts";
import { type Row, type Rule, restRows, rpcRows, type World } from "./rows.ts";

const password = "correct horse battery staple";
const isService = (value: unknown): value is DescService =>
  (value as { kind?: string } | undefined)?.kind === "service";
const services = [authApi, registryApi, schedulerApi, trainerApi, inferenceApi].flatMap((api) =>
  Object.values<unknown>(api).filter(isService),
);
const methods = new Map<string, DescMethod>(
  services.flatMap((service) =>
    service.methods.map((method) => [`${service.typeName}/${method.name}`, method] as const),
  ),
);

let mesh: TestMesh;
let world: World;
let sessions: Http2SessionManager;
const credentials = new Map<string, string | undefined>();

beforeAll(async () => {
  mesh = await TestMesh.start({ replicas: 1 });
  sessions = new Http2SessionManager(mesh.mesh.url());
  await mesh.serve("m", tinyModel(1), 1);
  await mesh.admin.client(AliasService).moveAlias({ model: "m", alias: "live", version: 1n });
  const file = join(mesh.folder, "d.csv");
  writeFileSync(file, `a,y\n${Array.from({ length: 40 }, (_, i) => `${i},${2 * i}`).join("\n")}\n`);
  const output = new Output({ json: true });
  await pushDataset({ connection: mesh.admin, output, project: "default", dataset: "d", file });
  await mesh.admin.client(DirectoryService).createUser({ name: "bystander", password });
  for (const principal of principals) credentials.set(principal.name, await credentialOf(principal));
  const { version } = await mesh.admin.client(ModelService).getVersion({ model: "m" });
  const spec = { project: "default", model: "m", dataset: "d", target: "y", recipe: "ridge" };
  const { job } = await mesh.admin.client(TrainingService).createJob({ spec });
  world = {
    jobId: job?.id ?? expect.fail(),
    fileSha256: version?.files[0]?.sha256 ?? expect.fail(),
    freshGrant: async () => {
      const grant = { subject: "user:bystander", resource: "default.m", level: Level.VIEW, effect: Effect.ALLOW };
      return (await mesh.admin.client(AccessService).putGrant({ grant })).grant?.id ?? expect.fail();
    },
  };
  await mesh.admin.client(AliasService).listAliasMoves({ model: "m" });
  // The router's routes follow the aliases.
  await waitFor(
    async () =>
      (
        await attempt(
          rpcRows["inference.GRPCInferenceService/ModelStreamInfer"],
          "inference.GRPCInferenceService/ModelStreamInfer",
          "admin",
        )
      ).code !== Code.NotFound,
  );
}, 180_000);

afterAll(async () => {
  sessions?.abort();
  await mesh?.[Symbol.asyncDispose]();
});

describe("the rows", () => {
  it("are one for each RPC of the contracts and each route of the REST table", () => {
    expect(Object.keys(rpcRows).sort()).toEqual([...methods.keys()].sort());
    expect(Object.keys(restRows).sort()).toEqual([...restPaths].sort());
  });
});

describe("every RPC", () => {
  it.each(Object.entries(rpcRows))(
    "%s: allowed to those with the right, refused alike to the others",
    async (name, row) => {
      const wrong: string[] = [];
      for (const principal of principals) {
        const outcome = await attempt(row, name, principal.name);
        const problem = judge(row.rule, principal, outcome);
        if (problem !== undefined)
          wrong.push(`${principal.name}: ${problem} (code ${outcome.code}: ${outcome.message})`);
      }
      expect(wrong).toEqual([]);
    },
  );
});

describe("every REST route", () => {
  it.each(Object.entries(restRows))(
    "%s: allowed to those with the right, refused alike to the others",
    async (path, row) => {
      const wrong: string[] = [];
      for (const principal of principals) {
        const outcome = await request(path, row, principal.name);
        const problem = judge(row.rule, principal, outcome);
        if (problem !== undefined)
          wrong.push(`${principal.name}: ${problem} (code ${outcome.code}: ${outcome.message})`);
      }
      expect(wrong).toEqual([]);
    },
  );
});

/** What became of a call: gRPC's code, 0 for success. */
interface Outcome {
  readonly code: number;
  readonly message: string;
  readonly answer?: unknown;
}

/** What is wrong with an outcome; undefined when it is right. */
function judge(rule: Rule, principal: MatrixPrincipal, outcome: Outcome): string | undefined {
  const may = rightsOf(principal);
  const { code } = outcome;
  switch (rule.kind) {
    case "open":
      return ((rule.codes as readonly number[] | undefined) ?? [0]).includes(code) ? undefined : "answers differently";
    case "mesh":
      return code === Code.Unimplemented ? undefined : "reaches a service of the mesh";
    case "person":
      return (code === Code.Unauthenticated) === (principal.kind === "anonymous")
        ? undefined
        : "is taken for somebody else";
    case "list": {
      if (code !== 0 && !isRefusal(outcome)) return "fails";
      const shows = code === 0 && rule.shows(outcome.answer as never);
      const visible = rule.visible(may, principal);
      return shows === visible ? undefined : visible ? "does not see what may be seen" : "sees what is hidden";
    }
    case "verbs": {
      const refused = isRefusal(outcome, rule.hidden);
      if (rule.allowed(may, principal)) return refused ? "is refused" : undefined;
      return refused ? undefined : "is let in";
    }
  }
}

/** Whether a call ended for want of a right. */
function isRefusal({ code, message }: Outcome, hidden?: RegExp): boolean {
  if (code === Code.PermissionDenied) return true;
  if (code === Code.Unauthenticated) return true;
  return (
    code === Code.NotFound && (hidden === undefined ? /model|There is nothing/i.test(message) : hidden.test(message))
  );
}

async function attempt(row: Row | undefined, name: string, who: string): Promise<Outcome> {
  const method = methods.get(name) ?? expect.fail(`no RPC ${name}`);
  const credential = credentials.get(who);
  const transport = createGrpcTransport({
    baseUrl: mesh.mesh.url(),
    sessionManager: sessions,
    defaultTimeoutMs: 20_000,
    interceptors: [
      (next) => (call) => {
        if (credential !== undefined) call.header.set("authorization", `Bearer ${credential}`);
        return next(call);
      },
    ],
  });
  const client = createClient(method.parent, transport) as Record<
    string,
    (request: unknown, options?: object) => unknown
  >;
  const call = client[method.localName] as (request: unknown, options?: object) => unknown;
  const request = (await row?.request?.(world)) ?? {};
  try {
    if (method.methodKind === "unary") return { code: 0, message: "", answer: await call(request) };
    if (method.methodKind === "client_streaming") return { code: 0, message: "", answer: await call(one(request)) };
    const ended = new AbortController();
    const input = method.methodKind === "bidi_streaming" ? one(request) : request;
    let answer: unknown;
    for await (const message of call(input, { signal: ended.signal }) as AsyncIterable<unknown>) {
      answer = message;
      break;
    }
    ended.abort();
    return streamed(answer);
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    return { code, message: withoutRemedy(rawMessage) };
  }
}

/** A stream of inferences tells of a refusal in a message. */
function streamed(answer: unknown): Outcome {
  const { errorMessage = "" } = (answer ?? {}) as { errorMessage?: string };
  if (errorMessage === "") return { code: 0, message: "", answer };
  if (/needs a credential/.test(errorMessage)) return { code: Code.Unauthenticated, message: errorMessage };
  const refused = /no deployed model|not run it/i.test(errorMessage);
  return { code: refused ? Code.NotFound : Code.InvalidArgument, message: errorMessage };
}

async function* one(request: unknown) {
  yield request;
}

/** Sentences of errors, without what to do about them. */
function withoutRemedy(message: string): string {
  return (
    /^There is no model "[^"]*"\.|^default\.\w+ is not deployed\.|^There is no model \S+ with a version that is READY\./.exec(
      message,
    )?.[0] ?? message
  );
}

async function request(path: string, row: (typeof restRows)[string], who: string): Promise<Outcome> {
  const credential = credentials.get(who);
  const response = await fetch(`${mesh.mesh.url()}${path.replace("NAME", "m")}`, {
    method: row.method,
    headers: {
      ...(credential === undefined ? {} : { authorization: `Bearer ${credential}` }),
      ...(row.body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(row.body === undefined ? {} : { body: JSON.stringify(row.body) }),
    signal: AbortSignal.timeout(20_000),
  });
  const text = await response.text();
  const codes: Readonly<Record<number, number>> = {
    401: Code.Unauthenticated,
    403: Code.PermissionDenied,
    404: Code.NotFound,
  };
  const code = response.ok ? 0 : (codes[response.status] ?? Code.Unknown);
  const isJson = response.headers.get("content-type") === "application/json";
  return { code, message: text, ...(response.ok && isJson ? { answer: JSON.parse(text) } : {}) };
}

/** Makes a principal with its grants; what it shows. */
async function credentialOf({ name, kind, grants }: MatrixPrincipal): Promise<string | undefined> {
  const directory = mesh.admin.client(DirectoryService);
  if (kind === "anonymous") return undefined;
  if (kind === "admin") return (await mesh.admin.authorization())?.slice("Bearer ".length);
  if (kind === "service account") await directory.createServiceAccount({ name });
  else await directory.createUser({ name, password });
  const id = kind === "service account" ? `service-account:${name}` : `user:${name}`;
  if (kind === "group member") await directory.putGroup({ group: { name: "everybody", members: [id] } });
  for (const { resource, level, effect = Effect.ALLOW } of grants) {
    const subject = kind === "group member" ? "group:everybody" : id;
    await mesh.admin.client(AccessService).putGrant({ grant: { subject, resource, level, effect } });
  }
  if (kind === "service account") return (await directory.createApiKey({ principal: id })).secret;
  const connection = new Connection(mesh.mesh.url(), {
    kind: "session",
    file: new CredentialsFile(join(mesh.folder, `${name}.json`)),
  });
  await connection.signIn(name, password);
  return (await connection.authorization())?.slice("Bearer ".length);
}
