import { once } from "node:events";
import { Agent, request as httpRequest } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "@aimass/core";
import { afterEach, describe, expect, it } from "vitest";
import { testCertificate } from "./certificate.fixture.ts";
import { type IdleConnection, IdleConnections, type IdleLimits, type Listener, listen } from "./index.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Idle connections, and the names of those that ended for room. */
function bounded(limits: Partial<IdleLimits>) {
  const ended: string[] = [];
  const idle = new IdleConnections({ total: 100, perAddress: 100, clock: systemClock, ...limits });
  cleanups.push(() => idle[Symbol.dispose]());
  const add = (name: string, address: string, isKnown = false): IdleConnection => {
    const connection = { address, isKnown, close: () => void ended.push(name) };
    idle.add(connection);
    return connection;
  };
  return { idle, ended, add };
}

/** Beyond the grace for those that come at once. */
const soon = 1200;

describe("idle connections above their limit", () => {
  it("end longest idle first, of the address that has too many", async () => {
    const { idle, ended, add } = bounded({ perAddress: 2 });
    for (const name of ["a", "b", "c", "d"]) add(name, "203.0.113.1");
    add("other", "203.0.113.2");
    await sleep(soon);
    expect(ended).toEqual(["a", "b"]);
    expect([idle.count, idle.shed]).toEqual([3, 2]);
  });

  it("may come at once, and are none too many where they are used a moment later", async () => {
    const { idle, ended, add } = bounded({ perAddress: 2 });
    const many = ["a", "b", "c", "d"].map((name) => add(name, "203.0.113.1"));
    for (const connection of many.slice(0, 2)) idle.remove(connection);
    await sleep(soon);
    expect(ended).toEqual([]);
  });

  it("are never more than twice the limit, however fast they come", () => {
    const { idle, ended, add } = bounded({ perAddress: 2, total: 6 });
    for (let i = 0; i < 100; i++) add(`a${i}`, "203.0.113.1");
    expect(idle.count).toBe(4);
    for (let i = 0; i < 100; i++) add(`b${i}`, `203.0.113.${i + 2}`);
    expect(idle.count).toBe(12);
    expect(ended).toHaveLength(188);
  });

  it("are those of strangers before those of callers who proved who they are", async () => {
    const { ended, add } = bounded({ perAddress: 2 });
    add("known", "127.0.0.1", true);
    for (const name of ["x", "y", "z"]) add(name, "127.0.0.1");
    await sleep(soon);
    expect(ended).toEqual(["x", "y"]);
  });

  it("leave a newcomer its chance where all others are known", () => {
    const { ended, add } = bounded({ perAddress: 1 });
    for (const name of ["a", "b"]) add(name, "127.0.0.1", true);
    add("newcomer", "127.0.0.1");
    expect(ended).toEqual(["a"]);
  });

  it("are in all those of whoever has most, and never those of a proxy while strangers have some", async () => {
    const { ended, add } = bounded({ total: 6, isProxy: (address) => address === "10.0.0.1" });
    for (let i = 0; i < 4; i++) add(`proxy${i}`, "10.0.0.1");
    add("guest", "203.0.113.1");
    for (let i = 0; i < 3; i++) add(`crowd${i}`, "203.0.113.2");
    await sleep(soon);
    expect(ended).toEqual(["crowd0", "crowd1"]);
  });

  it("do not count for one address where a proxy brings them", async () => {
    const { ended, add } = bounded({ perAddress: 2, isProxy: (address) => address === "10.0.0.1" });
    for (let i = 0; i < 9; i++) add(`proxy${i}`, "10.0.0.1");
    await sleep(soon);
    expect(ended).toEqual([]);
  });

  it.each([
    ["one IPv4 address, as IPv6 writes it too", ["203.0.113.1", "::ffff:203.0.113.1"], true],
    ["neighbours of IPv4", ["203.0.113.1", "203.0.113.2"], false],
    ["one network of IPv6", ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9"], true],
    ["two networks of IPv6", ["2001:db8:1:2::1", "2001:db8:1:3::1"], false],
    ["short forms", ["2001:db8::1", "2001:db8:0:0:7::"], true],
  ])("count together: %s", async (_, addresses, areOne) => {
    const { ended, add } = bounded({ perAddress: 1 });
    for (const address of addresses) add(address, address);
    await sleep(soon);
    expect(ended).toHaveLength(areOne ? 1 : 0);
  });
});

async function serve(perAddress: number, tls?: typeof testCertificate): Promise<Listener> {
  const idle = new IdleConnections({ total: 1000, perAddress, clock: systemClock });
  const listener = await listen({
    listen: { host: "127.0.0.1", port: 0 },
    idle,
    ...(tls !== undefined && { tls }),
    handler: async (call) => {
      if (call.headers.authorization !== undefined) call.recognize();
      if (call.path === "/slow") await sleep(2000);
      call.respond({ status: 200, headers: {}, body: Buffer.from("ok") });
    },
  });
  cleanups.push(
    () => listener.drain(0),
    () => idle[Symbol.dispose](),
  );
  return listener;
}

function http2(listener: Listener, scheme = "http"): ClientHttp2Session {
  const session = connectHttp2(`${scheme}://localhost:${listener.address.port}`, {
    ca: testCertificate.cert,
    family: 4,
  } as never);
  session.on("error", () => {});
  cleanups.push(() => session.destroy());
  return session;
}

function ask(session: ClientHttp2Session, path = "/", headers = {}): Promise<string> {
  const stream = session.request({ ":path": path, ...headers });
  stream.on("error", () => {});
  stream.end();
  return stream
    .setEncoding("utf8")
    .toArray()
    .then(
      (parts) => parts.join(""),
      (error: Error) => error.message,
    );
}

async function silent(listener: Listener): Promise<Socket> {
  const socket = connectTcp(listener.address.port, "127.0.0.1");
  socket.on("error", () => {});
  cleanups.push(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

describe("a listener with more idle connections than it may have", () => {
  it("says GOAWAY to the one of HTTP/2 that has been idle longest, and goes on with what runs", async () => {
    const listener = await serve(2);
    const old = http2(listener);
    const goaway = once(old, "goaway");
    await ask(old);
    const busy = http2(listener);
    const answer = ask(busy, "/slow");
    const others = [http2(listener), http2(listener)];
    for (const other of others) await ask(other);
    expect((await goaway)[0]).toBe(0);
    await expect.poll(() => listener.connections).toBe(3);
    expect(await answer).toBe("ok");
    for (const other of others) expect(await ask(other)).toBe("ok");
  });

  it.each(["clear text", "TLS"])("lets go of those that say nothing, in %s, and serves who comes then", async (how) => {
    const listener = await serve(5, how === "TLS" ? testCertificate : undefined);
    await Promise.all(Array.from({ length: 40 }, () => silent(listener)));
    await expect.poll(() => listener.connections, { timeout: 3000 }).toBe(5);
    const session = http2(listener, how === "TLS" ? "https" : "http");
    expect(await ask(session)).toBe("ok");
    session.close();
  });

  it("counts half of a request and a kept connection of HTTP/1.1 alike", async () => {
    const listener = await serve(3);
    const agent = new Agent({ keepAlive: true });
    cleanups.push(() => agent.destroy());
    for (let i = 0; i < 3; i++) (await silent(listener)).write("GET / HTTP/1.1\r\nHost: a\r\n");
    const get = () =>
      new Promise<number | undefined>((resolve, reject) => {
        const request = httpRequest({ port: listener.address.port, host: "127.0.0.1", agent }, (response) => {
          response.resume().once("end", () => resolve(response.statusCode));
        });
        request.once("error", reject).end();
      });
    expect(await get()).toBe(200);
    await expect.poll(() => listener.connections, { timeout: 3000 }).toBe(3);
    expect(await get()).toBe(200);
  });

  it("keeps the connection of a caller who proved who they are", async () => {
    const listener = await serve(2);
    const known = http2(listener);
    await ask(known, "/", { authorization: "Bearer x" });
    await Promise.all(Array.from({ length: 30 }, () => silent(listener)));
    await expect.poll(() => listener.connections, { timeout: 3000 }).toBe(2);
    expect(known.closed).toBe(false);
    expect(await ask(known)).toBe("ok");
  });

  it("forgets connections when they close, by TLS too", async () => {
    const listener = await serve(5, testCertificate);
    const session = http2(listener, "https");
    expect(await ask(session)).toBe("ok");
    expect(listener.connections).toBe(1);
    session.close();
    await expect.poll(() => listener.connections).toBe(0);
  });
});
