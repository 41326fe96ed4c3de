import { createHash } from "node:crypto";
import { GRPCInferenceService } from "@aimass/api/inference";
import { createApiKey } from "@aimass/identity";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterEach, describe, expect, it } from "vitest";
import {
  denyGrant,
  inferGrant,
  keyEntry,
  modelEntry,
  replicaEntry,
  startTestRouter,
  type TestRouter,
  userEntry,
} from "../testing/router-fixture.ts";
import { startReplica } from "../testing/tiny-replica.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const key = createApiKey();
const headers = { authorization: `Bearer ${key.text}`, "content-type": "application/json" };
const ada = [userEntry("ada"), keyEntry(key.id, key.secretSha256, "user:ada"), inferGrant("user:ada", "default")];

type Routes = Parameters<typeof modelEntry>;

async function router(...[name, versions, aliases, facts]: Routes): Promise<TestRouter> {
  const [r, a] = await Promise.all([startTestRouter(), startReplica("a")]);
  cleanups.push(
    () => r[Symbol.asyncDispose](),
    () => a.kill(),
  );
  r.route([replicaEntry("a", a.address), modelEntry(name, versions, aliases, facts)]);
  await expect.poll(() => r.plane.pool.replicas.get("a")?.isUsable).toBe(true);
  r.grant(ada);
  return r;
}

/** The version that answers at a path of REST; the status when none does. */
async function whoAnswers(r: TestRouter, path: string): Promise<string | number> {
  const answer = await fetch(r.url + path, { method: "POST", headers, body: "{}" });
  return answer.status === 200 ? (answer.headers.get("aimass-version") ?? "") : answer.status;
}

const held = { 1: ["a"], 2: ["a"] };
const to = (version: number) => ({ [version]: 10_000 });

const transports: [string, (baseUrl: string) => Transport][] = [
  ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
  ["gRPC-Web", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2" })],
  ["Connect", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" })],
];

describe("a version that is only kept warm", () => {
  it.each(transports)("answers by number alone, by %s", async (_, transport) => {
    const r = await router("m", held, { prod: to(1) }, { warm: { 2: ["prod"] } });
    const client = createClient(GRPCInferenceService, transport(r.url));
    const versionOf = async (modelVersion: string) => {
      let answered = "";
      const note = (fields: Headers) => {
        answered ||= fields.get("aimass-version") ?? "";
      };
      await client.modelInfer({ modelName: "m", modelVersion }, { headers, onHeader: note, onTrailer: note });
      return answered;
    };
    expect([await versionOf(""), await versionOf("prod"), await versionOf("2")]).toEqual(["1", "1", "2"]);
  });

  it("answers by number alone, by REST and /predict", async () => {
    const r = await router("m", held, { prod: to(1) }, { warm: { 2: ["prod"] } });
    const ways = ["/v2/models/m/infer", "/models/m/predict", "/predict", "/v2/models/m/versions/2/infer"];
    expect(await Promise.all(ways.map((way) => whoAnswers(r, way)))).toEqual(["1", "1", "1", "2"]);
  });

  it("answers nobody else once its alias is gone, and is not ready for anybody else", async () => {
    const r = await router("m", held, { default: {} }, { warm: { 2: ["default"] } });
    const ways = ["/v2/models/m/infer", "/models/m/predict", "/v2/models/m/versions/default/infer"];
    expect(await Promise.all(ways.map((way) => whoAnswers(r, way)))).toEqual([404, 404, 404]);
    const client = createClient(GRPCInferenceService, createGrpcTransport({ baseUrl: r.url }));
    const ready = async (version: string) => (await client.modelReady({ name: "m", version }, { headers })).ready;
    expect([await ready(""), await ready("2")]).toEqual([false, true]);
    for (const call of [client.modelMetadata, client.modelConfig]) {
      const code = await call({ name: "m" }, { headers }).then(undefined, (error: ConnectError) => error.code);
      expect(code).toBe(Code.NotFound);
    }
  });
});

describe("a deny on an alias", () => {
  const routes = [
    { name: "the alias default", args: ["m", held, { default: to(1) }] as Routes, alias: "default", bare: 403 },
    { name: "the only alias", args: ["m", held, { prod: to(1) }] as Routes, alias: "prod", bare: 403 },
    {
      name: "one of two aliases of a version",
      args: ["m", held, { default: to(1), prod: to(1) }] as Routes,
      alias: "prod",
      bare: 403,
    },
    {
      name: "an alias that a version served and is kept warm for",
      args: ["m", held, { default: {} }, { warm: { 1: ["default"] } }] as Routes,
      alias: "default",
      bare: 403,
    },
  ];

  it.each(routes)("holds for its version by any way: $name", async ({ args, alias, bare }) => {
    const r = await router(...args);
    r.grant([...ada, denyGrant("user:ada", `default.m@${alias}`)]);
    const ways = ["/v2/models/m/infer", "/models/m/predict", "/v2/models/m/versions/1/infer"];
    expect(await Promise.all(ways.map((way) => whoAnswers(r, way)))).toEqual([bare, bare, 403]);
    expect(await whoAnswers(r, "/v2/models/m/versions/01/infer")).toBe(403);
    expect(await whoAnswers(r, "/v2/models/m/versions/2/infer")).toBe("2");
  });

  it("holds for the other alias of the same version, and not for another version", async () => {
    const r = await router("m", held, { default: to(1), same: to(1), other: to(2) });
    r.grant([...ada, denyGrant("user:ada", "default.m@default")]);
    expect(await whoAnswers(r, "/v2/models/m/versions/same/infer")).toBe(403);
    expect(await whoAnswers(r, "/v2/models/m/versions/other/infer")).toBe("2");
  });

  it("holds for each side of an alias that is split", async () => {
    const r = await router("m", held, { default: { 1: 5000, 2: 5000 }, next: to(2) });
    r.grant([...ada, denyGrant("user:ada", "default.m@next")]);
    const seen = new Set<string | number>();
    for (let i = 0; i < 40; i++) seen.add(await whoAnswers(r, "/v2/models/m/infer"));
    expect([...seen].sort()).toEqual(["1", 403].sort());
  });

  it("holds for what is newest where no alias decides", async () => {
    const r = await router("m", held, { prod: to(2), old: to(1) });
    expect(await whoAnswers(r, "/v2/models/m/infer")).toBe("2");
    r.grant([...ada, denyGrant("user:ada", "default.m@prod")]);
    expect(await whoAnswers(r, "/v2/models/m/infer")).toBe(403);
  });

  it.each(transports)("hides its version from every question, by %s", async (_, transport) => {
    const r = await router("m", held, { default: to(1) });
    r.grant([...ada, denyGrant("user:ada", "default.m@default")]);
    const client = createClient(GRPCInferenceService, transport(r.url));
    for (const version of ["", "1", "default"]) {
      const asked = { name: "m", version };
      expect((await client.modelReady(asked, { headers })).ready).toBe(false);
      for (const call of [client.modelMetadata, client.modelConfig, client.modelStatistics]) {
        const failure = await call(asked, { headers }).then(() => "answered", ConnectError.from);
        const isStatisticsOfAll = version === "" && call === client.modelStatistics;
        if (!isStatisticsOfAll) expect(failure).toMatchObject({ code: Code.NotFound });
      }
    }
    const { models } = await client.repositoryIndex({}, { headers });
    expect(models.map((model) => model.version)).toEqual(["2"]);
    const { modelStats } = await client.modelStatistics({ name: "m" }, { headers });
    expect(modelStats.map((model) => model.version)).toEqual(["2"]);
  });

  it("is named where a grant would not help, and only there", async () => {
    const r = await router("m", held, { default: to(1) });
    const refusal = async () => {
      const answer = await fetch(`${r.url}/v2/models/m/infer`, { method: "POST", headers, body: "{}" });
      return [answer.status, ((await answer.json()) as { error: string }).error];
    };
    r.grant([...ada, denyGrant("user:ada", "default.m@default")]);
    expect(await refusal()).toEqual([
      403,
      expect.stringMatching(/A deny .* holds on default\.m@default.*remove the deny/),
    ]);
    expect((await refusal())[1]).not.toContain("can grant you");
  });

  it("is told as the refusal of the alias itself", async () => {
    const r = await router("m", held, { default: to(1) });
    r.grant([...ada, denyGrant("user:ada", "default.m@default")]);
    const texts = ["/v2/models/m/infer", "/v2/models/m/versions/1/infer"].map(async (path) => {
      const answer = await fetch(r.url + path, { method: "POST", headers, body: "{}" });
      return createHash("sha256")
        .update(await answer.text())
        .digest("hex");
    });
    expect(new Set(await Promise.all(texts)).size).toBe(1);
  });
});
