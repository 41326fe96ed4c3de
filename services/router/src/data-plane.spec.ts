import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Level } from "@aimass/api/auth";
import { createApiKey } from "@aimass/identity";
import { afterEach, describe, expect, it } from "vitest";
import {
  infer,
  inferBody,
  inferGrant,
  keyEntry,
  modelEntry,
  replicaEntry,
  startTestRouter,
  type TestRouter,
  userEntry,
} from "./testing/router-fixture.ts";
import { echo, hang, refuse, startReplica, type TinyReplica } from "./testing/tiny-replica.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function router(env: Record<string, string> = {}): Promise<TestRouter> {
  const made = await startTestRouter(env);
  cleanups.push(() => made[Symbol.asyncDispose]());
  return made;
}

async function replica(id: string): Promise<TinyReplica> {
  const made = await startReplica(id);
  cleanups.push(() => made.kill());
  return made;
}

/** A router in front of two replicas that hold version 1 of "m". */
async function mesh(env: Record<string, string> = {}) {
  const [r, a, b] = await Promise.all([router(env), replica("a"), replica("b")]);
  const replicas = [replicaEntry("a", a.address), replicaEntry("b", b.address)];
  r.route([...replicas, modelEntry("m", { 1: ["a", "b"] })]);
  await expect.poll(() => [...r.plane.pool.replicas.values()].every((x) => x.isUsable)).toBe(true);
  return { r, a, b, replicas };
}

/** Keeps `lanes` calls under way until told to stop; returns every status seen. */
function load(r: TestRouter, body: Buffer, lanes = 16) {
  const statuses: number[] = [];
  const latencies: number[] = [];
  let isStopping = false;
  const lane = async () => {
    while (!isStopping) {
      const startedAt = performance.now();
      const { status } = await infer(r.client, body, { "grpc-timeout": "8S" });
      latencies.push(performance.now() - startedAt);
      statuses.push(status);
    }
  };
  const running = Promise.all(Array.from({ length: lanes }, lane));
  const stop = async () => {
    isStopping = true;
    await running;
    return statuses;
  };
  // A test that fails before it stops its load must not take the connection away from under it.
  cleanups.push(stop);
  return { statuses, latencies, stop };
}

describe("a call through the router", () => {
  it("reaches a replica unedited, with what only a router may say, and without what a client may not", async () => {
    const { r, a, b } = await mesh();
    const body = inferBody("m", { id: "42" });
    const answer = await infer(r.client, body, {
      "aimass-principal": "user:root",
      "aimass-model": "default.other",
      "aimass-anything": "x",
      "grpc-timeout": "5S",
    });
    expect(answer.status).toBe(0);
    expect(answer.body.equals(body)).toBe(true);
    expect(answer.trailers["aimass-version"]).toBe("1");
    expect(answer.trailers["aimass-queue-depth"]).toBeUndefined();
    const [seen] = [...a.calls, ...b.calls];
    expect(seen?.body.equals(body)).toBe(true);
    expect(seen?.headers).toMatchObject({
      "aimass-principal": "anonymous",
      "aimass-model": "default.m",
      "aimass-version": "1",
      "aimass-attempt": "1",
    });
    expect(seen?.headers["aimass-anything"]).toBeUndefined();
    expect(seen?.headers.authorization).toBeUndefined();
    expect(seen?.headers.traceparent).toMatch(/^00-/);
    expect(Number(seen?.headers["grpc-timeout"]?.slice(0, -1))).toBeLessThanOrEqual(5000);
    expect(r.auth.verify(seen?.headers["aimass-service"] ?? "").role).toBe("router");
  });

  it("passes a model's own error on and does not repeat it", async () => {
    const { r, a, b } = await mesh();
    a.behaviour = b.behaviour = refuse(3, "inputs[0]%3A wrong shape");
    expect(await infer(r.client, inferBody("m"))).toMatchObject({ status: 3, message: "inputs[0]: wrong shape" });
    expect(a.calls.length + b.calls.length).toBe(1);
  });

  it("splits an alias by its shares, and keeps a sticky key on one side", async () => {
    const { r, a, b, replicas } = await mesh();
    r.route([...replicas, modelEntry("m", { 1: ["a"], 2: ["b"] }, { default: { 1: 7500, 2: 2500 } })]);
    for (let i = 0; i < 200; i++) await infer(r.client, inferBody("m"));
    expect(b.calls.length).toBeGreaterThan(20);
    expect(b.calls.length).toBeLessThan(90);
    const before = [a.calls.length, b.calls.length];
    for (let i = 0; i < 20; i++) await infer(r.client, inferBody("m"), { "x-sticky-key": "session-9" });
    const moved = [a.calls.length, b.calls.length].filter((n, i) => n !== before[i]);
    expect(moved).toHaveLength(1);
  });

  it("refuses garbage, oversize and a wrong name in sentences", async () => {
    const { r } = await mesh({ AIMASS_MAX_MESSAGE_BYTES: "4096" });
    expect(await infer(r.client, Buffer.from("garbage"))).toMatchObject({ status: 3, message: /framed/ as never });
    expect((await infer(r.client, Buffer.from([0, 0, 0, 0, 3, 255, 255, 255]))).status).toBe(3);
    expect((await infer(r.client, inferBody("m", { bytes: 10_000 }))).status).toBe(8);
    expect((await infer(r.client, inferBody("no such name!"))).message).toMatch(/not the name of a model/);
    expect((await infer(r.client, inferBody("m"), { "grpc-timeout": "soon" })).status).toBe(3);
    expect((await infer(r.client, inferBody("m"))).status).toBe(0);
  });
});

describe("a replica that fails", () => {
  it("costs no request when it is killed under load", async () => {
    const { r, a } = await mesh();
    const running = load(r, inferBody("m"));
    await sleep(300);
    await a.kill();
    await sleep(500);
    const statuses = await running.stop();
    expect(statuses.length).toBeGreaterThan(20);
    expect(statuses.filter((s) => s !== 0)).toEqual([]);
    expect(Math.max(...running.latencies)).toBeLessThan(5000);
  });

  it("costs no request when it takes calls and dies with them", async () => {
    const { r, a, b } = await mesh();
    a.behaviour = hang;
    const calls = Array.from({ length: 40 }, () => infer(r.client, inferBody("m"), { "grpc-timeout": "8S" }));
    await expect.poll(() => a.calls.length).toBeGreaterThan(0);
    await a.kill();
    expect((await Promise.all(calls)).filter((c) => c.status !== 0)).toEqual([]);
    expect(b.calls.filter((c) => c.headers["aimass-attempt"] === "2").length).toBeGreaterThan(0);
  });

  it("costs no request when it refuses because it drains or does not hold the version", async () => {
    const { r, a } = await mesh();
    for (const status of [14, 5]) {
      a.behaviour = refuse(status, "not here");
      const answers = await Promise.all(Array.from({ length: 20 }, () => infer(r.client, inferBody("m"))));
      expect(answers.filter((x) => x.status !== 0)).toEqual([]);
    }
  });

  it("draws no traffic to itself by refusing quickly, however long its routes are old", async () => {
    const { r, a, b, replicas } = await mesh();
    a.behaviour = refuse(14, "m/1 is not loaded here.");
    b.behaviour = async (call, body) => {
      await sleep(1);
      echo("b")(call, body);
    };
    const running = load(r, inferBody("m"));
    // More calls than the retry budget has to give, in whatever time this machine needs for them.
    await expect.poll(() => running.statuses.length, { timeout: 100_000 }).toBeGreaterThan(3000);
    expect((await running.stop()).filter((s) => s !== 0)).toEqual([]);
    expect(a.calls.length).toBeLessThan(100);
    // The routes tell of its next process, which is not held to what the last one said.
    a.behaviour = echo("a");
    const before = a.calls.length;
    r.route([
      replicaEntry("a", a.address, { incarnation: "2" }),
      replicas[1] as never,
      modelEntry("m", { 1: ["a", "b"] }),
    ]);
    await expect.poll(() => [...r.plane.pool.replicas.values()].every((x) => x.isUsable)).toBe(true);
    for (let i = 0; i < 20; i++) await infer(r.client, inferBody("m"));
    expect(a.calls.length - before).toBeGreaterThan(2);
  }, 120_000);

  it("does not take a third replica with a request that two were lost with", async () => {
    const [r, ...three] = await Promise.all([router(), replica("a"), replica("b"), replica("c")]);
    r.route([...three.map((x) => replicaEntry(x.id, x.address)), modelEntry("m", { 1: ["a", "b", "c"] })]);
    await expect.poll(() => [...r.plane.pool.replicas.values()].every((x) => x.isUsable)).toBe(true);
    for (const one of three) one.behaviour = () => one.kill();
    const answer = await infer(r.client, inferBody("m"), { "grpc-timeout": "5S" });
    expect(answer).toMatchObject({ status: 14, message: /not sent to a third/ as never });
    expect(three.map((x) => x.calls.length).toSorted()).toEqual([0, 1, 1]);
  });

  it("does not repeat a sequence that was under way, nor a body too large to keep", async () => {
    const { r, a, b } = await mesh({ AIMASS_RETRY_BODY_BYTES: "100000" });
    a.behaviour = () => a.kill();
    b.behaviour = () => b.kill();
    const sequence = await infer(r.client, inferBody("m", { sequence: true }), { "grpc-timeout": "5S" });
    expect(sequence).toMatchObject({ status: 14, message: /lost during the call/ as never });
    expect(a.calls.length + b.calls.length).toBe(1);
    const large = await infer(r.client, inferBody("m", { bytes: 200_000 }), { "grpc-timeout": "5S" });
    expect(large.status).toBe(14);
    expect(a.calls.length + b.calls.length).toBe(2);
  });

  it("is left at once with its calls when it stands still", async () => {
    const { r, a, b } = await mesh();
    const frozen = await frozenReplica(a);
    cleanups.push(frozen.stop);
    r.route([replicaEntry("a", frozen.address), replicaEntry("b", b.address), modelEntry("m", { 1: ["a", "b"] })]);
    await expect.poll(() => [...r.plane.pool.replicas.values()].every((x) => x.isUsable)).toBe(true);
    frozen.freeze();
    const calls = Array.from({ length: 40 }, () => infer(r.client, inferBody("m"), { "grpc-timeout": "4S" }));
    expect((await Promise.all(calls)).filter((c) => c.status !== 0)).toEqual([]);
  });

  it("is given calls again when it is back", async () => {
    const { r, a, b } = await mesh();
    const port = Number(a.address.split(":")[1]);
    await a.kill();
    expect((await infer(r.client, inferBody("m"))).status).toBe(0);
    const again = await startReplica("a", port);
    cleanups.push(() => again.kill());
    await b.kill();
    await expect.poll(async () => (await infer(r.client, inferBody("m"))).status).toBe(0);
    expect(again.calls.length).toBeGreaterThan(0);
  });

  it("is ejected when it answers with internal errors again and again", async () => {
    const { r, a } = await mesh();
    a.behaviour = refuse(13, "broken");
    for (let i = 0; i < 60; i++) await infer(r.client, inferBody("m"));
    const seen = a.calls.length;
    expect(seen).toBeLessThan(30);
    let refused = 0;
    for (let i = 0; i < 20; i++) refused += (await infer(r.client, inferBody("m"))).status === 0 ? 0 : 1;
    // Only trials go to it, after one second, then after two more; all others were kept away.
    expect(refused).toBeLessThanOrEqual(2);
    expect(a.calls.length - seen).toBeLessThanOrEqual(2);
  });
});

describe("when no replica is up", () => {
  it("holds a call until one comes", async () => {
    const { r, a, b } = await mesh();
    const port = Number(a.address.split(":")[1]);
    await Promise.all([a.kill(), b.kill()]);
    const call = infer(r.client, inferBody("m"), { "grpc-timeout": "5S" });
    await sleep(300);
    const again = await startReplica("a", port);
    cleanups.push(() => again.kill());
    expect((await call).status).toBe(0);
  });

  it("gives up after a while and says why, then at once as long as nothing changes", async () => {
    const { r, a, replicas } = await mesh({ AIMASS_HOLD_MS: "1000" });
    const timed = async () => {
      const startedAt = performance.now();
      const { status, message } = await infer(r.client, inferBody("q"));
      return { status, message, ms: performance.now() - startedAt };
    };
    r.route([
      ...replicas,
      modelEntry("q", { 1: [] }, {}, { unavailableReason: "It is quarantined after two crashes." }),
    ]);
    const first = await timed();
    expect(first).toMatchObject({ status: 14, message: expect.stringContaining("quarantined") });
    expect(first.ms).toBeGreaterThan(950);
    const second = await timed();
    expect(second.status).toBe(14);
    expect(second.ms).toBeLessThan(900);
    r.route([...replicas, modelEntry("q", { 1: ["a"] })]);
    expect((await timed()).status).toBe(0);
    expect(a.calls).toHaveLength(1);
  });

  it("ends at the caller's deadline", async () => {
    const { r, a, b } = await mesh();
    a.behaviour = b.behaviour = hang;
    expect((await infer(r.client, inferBody("m"), { "grpc-timeout": "150m" })).status).toBe(4);
  });
});

describe("a version that is swapped under load", () => {
  it("costs no request", async () => {
    const { r, replicas } = await mesh();
    const running = load(r, inferBody("m"));
    for (let version = 2; version < 12; version++) {
      r.route([
        ...replicas,
        modelEntry("m", { [version - 1]: ["a"], [version]: ["b"] }, { default: { [version]: 10_000 } }),
      ]);
      await sleep(30);
      r.route([...replicas, modelEntry("m", { [version]: ["a", "b"] }, { default: { [version]: 10_000 } })]);
      await sleep(30);
    }
    const statuses = await running.stop();
    expect(statuses.length).toBeGreaterThan(20);
    expect(statuses.filter((s) => s !== 0)).toEqual([]);
  });
});

describe("what is gone", () => {
  it("is let go: series of versions, and what was known of replicas that held them", async () => {
    const { r, a, replicas } = await mesh();
    a.behaviour = refuse(13, "broken");
    const callUntilEjected = async () => {
      await infer(r.client, inferBody("m"));
      return r.plane.pool.ejected;
    };
    await expect.poll(callUntilEjected, { timeout: 20_000, interval: 1 }).toBe(1);
    expect(await r.telemetry.metricsText()).toContain('model="default.m",version="1"');
    r.route([...replicas, modelEntry("m", { 1: ["b"], 2: ["b"] })]);
    expect(r.plane.pool.ejected).toBe(0);
    r.route([...replicas, modelEntry("m", { 2: ["b"] })]);
    expect(await r.telemetry.metricsText()).not.toContain('model="default.m",version="1"');
    expect((await infer(r.client, inferBody("m"))).status).toBe(0);
    expect(await r.telemetry.metricsText()).toContain('model="default.m",version="2"');
  });
});

describe("access", () => {
  const key = createApiKey();
  const authorization = `Bearer ${key.text}`;
  const ada = [userEntry("ada"), keyEntry(key.id, key.secretSha256, "user:ada")];

  it("lets in whom a grant lets in, by an API key", async () => {
    const { r, a, b } = await mesh();
    r.grant([...ada, inferGrant("user:ada", "default.m")]);
    expect((await infer(r.client, inferBody("m"), { authorization })).status).toBe(0);
    expect((await infer(r.client, inferBody("m"), { "x-api-key": key.text })).status).toBe(0);
    expect([...a.calls, ...b.calls][0]?.headers["aimass-principal"]).toBe("user:ada");
  });

  it("does not tell a hidden model from one that does not exist", async () => {
    const { r } = await mesh();
    r.grant(ada);
    const hidden = await infer(r.client, inferBody("m"), { authorization });
    const missing = await infer(r.client, inferBody("n"), { authorization });
    expect(hidden.status).toBe(5);
    expect({ ...hidden, message: hidden.message.replaceAll('"m"', '"n"') }).toMatchObject({
      status: missing.status,
      message: missing.message,
    });
    const [anonymousHidden, anonymousMissing] = [
      await infer(r.client, inferBody("m")),
      await infer(r.client, inferBody("n")),
    ];
    expect(anonymousHidden.status).toBe(16);
    expect(anonymousHidden).toEqual(anonymousMissing);
  });

  it("says so when a model may be seen but not run", async () => {
    const { r } = await mesh();
    r.grant([...ada, inferGrant("user:ada", "default", Level.VIEW)]);
    expect((await infer(r.client, inferBody("m"), { authorization })).status).toBe(7);
    expect((await infer(r.client, inferBody("n"), { authorization })).status).toBe(5);
  });

  it("takes a grant away at once", async () => {
    const { r } = await mesh();
    r.grant([...ada, inferGrant("user:ada", "default")]);
    expect((await infer(r.client, inferBody("m"), { authorization })).status).toBe(0);
    r.grant(ada);
    expect((await infer(r.client, inferBody("m"), { authorization })).status).toBe(5);
  });

  it("refuses a forged key and another scheme", async () => {
    const { r } = await mesh();
    const forged = `${key.text.slice(0, -4)}AAAA`;
    expect((await infer(r.client, inferBody("m"), { authorization: `Bearer ${forged}` })).status).toBe(16);
    expect((await infer(r.client, inferBody("m"), { authorization: "Basic YTpi" })).status).toBe(16);
  });

  it("limits the bodies one caller has in memory, and gives the room back", async () => {
    const { r, a, b } = await mesh({ AIMASS_MAX_RECEIVED_BYTES: "1000000" });
    r.grant([...ada, inferGrant("user:ada", "default"), inferGrant("anonymous", "default")]);
    const plain = a.behaviour;
    a.behaviour = b.behaviour = async (call, body) => {
      await sleep(100);
      await plain(call, body);
    };
    const large = inferBody("m", { bytes: 200_000 });
    const answers = await Promise.all(Array.from({ length: 6 }, () => infer(r.client, large, { authorization })));
    expect(answers.filter((x) => x.status === 0)).toHaveLength(2);
    expect(answers.find((x) => x.status === 8)?.message).toMatch(/no room/);
    await expect.poll(async () => (await infer(r.client, large, { authorization })).status).toBe(0);
    // Callers without a credential share an eighth.
    expect((await infer(r.client, large)).status).toBe(8);
    expect((await infer(r.client, inferBody("m", { bytes: 100_000 }))).status).toBe(0);
    expect(await r.telemetry.metricsText()).toMatch(/aimass_router_received_bytes[^\n]* 0\n/);
  });

  it("limits how many calls one caller has under way", async () => {
    const { r, a, b } = await mesh({ AIMASS_MAX_IN_FLIGHT_PER_PRINCIPAL: "4" });
    a.behaviour = b.behaviour = async (call, body) => {
      await sleep(100);
      await echo("x")(call, body);
    };
    const answers = await Promise.all(Array.from({ length: 10 }, () => infer(r.client, inferBody("m"))));
    expect(answers.filter((x) => x.status === 0)).toHaveLength(4);
    const refused = answers.find((x) => x.status === 8);
    expect(refused?.trailers["grpc-retry-pushback-ms"]).toBe("100");
  });
});

describe("a router that drains", () => {
  it("finishes what runs and says that it is not ready", async () => {
    const { r, a, b } = await mesh();
    a.behaviour = b.behaviour = async (call, body) => {
      await sleep(200);
      await echo("x")(call, body);
    };
    const calls = Array.from({ length: 10 }, () => infer(r.client, inferBody("m")));
    await sleep(50);
    r.plane.info.drain();
    expect(r.plane.info.ready()).toMatch(/draining/);
    await r.drain(3000);
    expect((await Promise.all(calls)).map((c) => c.status)).toEqual(Array(10).fill(0));
  });
});

it("hashes keys as the policy does", () => {
  const { id, text, secretSha256 } = createApiKey();
  const secret = text.slice(`aim_${id}_`.length);
  expect(createHash("sha256").update(secret).digest().equals(secretSha256)).toBe(true);
});

/** A TCP relay in front of a replica that can stop passing bytes on, as a stopped process does. */
async function frozenReplica(behind: TinyReplica) {
  const { createServer, connect } = await import("node:net");
  let isFrozen = false;
  const sockets = new Set<import("node:net").Socket>();
  const server = createServer((client) => {
    const back = connect(Number(behind.address.split(":")[1]), "127.0.0.1");
    for (const socket of [client, back]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => socket.destroy());
    }
    client.on("data", (chunk) => (isFrozen ? undefined : back.write(chunk)));
    back.on("data", (chunk) => (isFrozen ? undefined : client.write(chunk)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as { port: number }).port}`,
    freeze: () => {
      isFrozen = true;
    },
    stop: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
