import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "@aimass/core";
import { afterEach, describe, expect, it } from "vitest";
import { type Listener, listen, type ServerCall, TransportError, Upstream, type UpstreamOptions } from "./index.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(handler: (call: ServerCall) => unknown, port = 0): Promise<Listener> {
  const listener = await listen({ listen: { host: "127.0.0.1", port }, handler: (call) => void handler(call) });
  cleanups.push(() => listener.drain(0));
  return listener;
}

async function dial(port: number, options: Partial<UpstreamOptions> = {}): Promise<Upstream> {
  const upstream = new Upstream({ address: { host: "127.0.0.1", port }, clock: systemClock, ...options });
  cleanups.push(() => upstream.close());
  return upstream;
}

async function ready(upstream: Upstream): Promise<Upstream> {
  while (upstream.state !== "ready") await sleep(5);
  return upstream;
}

async function echo(call: ServerCall): Promise<void> {
  const body = await call.body(1 << 30);
  call.respond({ status: 200, headers: { "x-method": call.method }, body, trailers: { "grpc-status": "0" } });
}

async function readToEnd(chunks: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of chunks);
}

const empty = Buffer.alloc(0);

describe("an upstream", () => {
  it("returns status, headers, body and trailers of a unary call", async () => {
    const listener = await serve(echo);
    const upstream = await ready(await dial(listener.address.port));
    const result = await upstream.unary({ path: "/x", headers: { te: "trailers" }, body: Buffer.from("abc") });
    expect(result).toMatchObject({ status: 200, headers: { "x-method": "POST" }, trailers: { "grpc-status": "0" } });
    expect(result.body.toString()).toBe("abc");
  });

  it("carries 64 MB there and back", async () => {
    const listener = await serve(echo);
    const upstream = await ready(await dial(listener.address.port));
    const body = Buffer.alloc(64 * 1024 * 1024, "0123456789abcdef");
    const result = await upstream.unary({ path: "/", headers: {}, body });
    expect(result.body.equals(body)).toBe(true);
  });

  it("may be closed at any moment of its first connection", async () => {
    const listener = await serve(echo);
    const upstreams: Upstream[] = [];
    for (let turns = 0; turns < 300; turns += 1) {
      const upstream = await dial(listener.address.port);
      for (let turn = 0; turn < turns % 6; turn += 1) await new Promise(setImmediate);
      upstream.close();
      upstreams.push(upstream);
    }
    await sleep(50);
    // An error of a closed connection would have nobody to catch it, and fail this run.
    expect(upstreams.filter((upstream) => upstream.state === "ready")).toEqual([]);
  });

  it("says that a call was not started when nobody listens", async () => {
    const listener = await serve(echo);
    const { port } = listener.address;
    await listener.drain(0);
    const upstream = await dial(port);
    await expect.poll(() => upstream.state).toBe("down");
    await expect(upstream.unary({ path: "/", headers: {}, body: empty })).rejects.toMatchObject({ started: false });
  });

  it("connects again when the peer comes back", async () => {
    const first = await serve(echo);
    const upstream = await ready(await dial(first.address.port));
    await first.drain(0);
    await expect.poll(() => upstream.state).toBe("down");
    await serve(echo, first.address.port);
    await expect.poll(() => upstream.state).toBe("ready");
    const result = await upstream.unary({ path: "/", headers: {}, body: Buffer.from("again") });
    expect(result.body.toString()).toBe("again");
  });

  it("says that a call was started when the peer breaks the connection during it", async () => {
    const listener = await serve(() => {});
    const upstream = await ready(await dial(listener.address.port));
    const call = upstream.unary({ path: "/", headers: {}, body: Buffer.from("x") });
    call.catch(() => {});
    await sleep(30);
    await listener.drain(0);
    await expect(call).rejects.toMatchObject({ name: "TransportError", started: true });
  });

  it("says that a call was not started when the peer refuses its stream", async () => {
    const { server, port } = await fakePeer((socket) => {
      socket.write(settingsFrame);
      socket.on("data", (data: Buffer) => {
        for (const stream of headersStreams(data)) socket.write(resetFrame(stream, 7));
      });
    });
    cleanups.push(() => server.close());
    const upstream = await ready(await dial(port));
    await expect(upstream.unary({ path: "/", headers: {}, body: empty })).rejects.toMatchObject({
      kind: "refused",
      started: false,
    });
  });

  it("notices a truncated answer", async () => {
    const listener = await serve(async (call) => {
      await call.body(10);
      const writer = call.open(200, {});
      writer.write(Buffer.from("half"));
      await sleep(20);
      writer.reset();
    });
    const upstream = await ready(await dial(listener.address.port));
    await expect(upstream.unary({ path: "/", headers: {}, body: empty })).rejects.toBeInstanceOf(TransportError);
    const stream = upstream.open({ path: "/", headers: {} });
    stream.end();
    await expect(readToEnd(stream.chunks())).rejects.toBeInstanceOf(TransportError);
  });

  it("is not ready for a peer that accepts and says nothing", async () => {
    const { server, port } = await fakePeer(() => {});
    cleanups.push(() => server.close());
    const upstream = await dial(port, { connectTimeoutMs: 200 });
    await expect.poll(() => upstream.state).toBe("down");
    expect(upstream.state).not.toBe("ready");
  });

  it("notices by PING that a peer has stopped, ends its calls, and comes back when it goes on", async () => {
    const child = spawn(process.execPath, ["-e", peerProgram], { stdio: ["ignore", "pipe", "inherit"] });
    cleanups.push(() => child.kill("SIGKILL"));
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const upstream = await ready(
      await dial(Number(line), { pingIntervalMs: 50, pingTimeoutMs: 150, deadAfterMs: 600 }),
    );
    child.kill("SIGSTOP");
    const stopped = performance.now();
    const call = upstream.unary({ path: "/", headers: {}, body: empty });
    call.catch(() => {});
    await expect.poll(() => upstream.state, { interval: 10 }).toBe("down");
    expect(performance.now() - stopped).toBeLessThan(1000);
    await expect(call).rejects.toMatchObject({ started: true });
    child.kill("SIGCONT");
    await expect.poll(() => upstream.state, { timeout: 5000 }).toBe("ready");
  });

  it("does not take for whole what had come when a silent connection is given up", async () => {
    const child = spawn(process.execPath, ["-e", peerProgram], { stdio: ["ignore", "pipe", "inherit"] });
    cleanups.push(() => child.kill("SIGKILL"));
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const options = { pingIntervalMs: 50, pingTimeoutMs: 100, deadAfterMs: 300 };
    const upstream = await ready(await dial(Number(line), options));
    const call = upstream.unary({ path: "/half", headers: {}, body: empty });
    const stream = upstream.open({ path: "/half", headers: {} });
    const chunks = stream.chunks()[Symbol.asyncIterator]();
    expect((await chunks.next()).value?.toString()).toBe("half");
    child.kill("SIGSTOP");
    await expect(call).rejects.toMatchObject({ started: true });
    await expect(chunks.next()).rejects.toBeInstanceOf(TransportError);
  });

  it("keeps calls when a peer stalls for less than the time that counts as dead", async () => {
    const child = spawn(process.execPath, ["-e", peerProgram], { stdio: ["ignore", "pipe", "inherit"] });
    cleanups.push(() => child.kill("SIGKILL"));
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const upstream = await ready(
      await dial(Number(line), { pingIntervalMs: 50, pingTimeoutMs: 100, deadAfterMs: 5000 }),
    );
    child.kill("SIGSTOP");
    const call = upstream.unary({ path: "/", headers: {}, body: empty });
    await expect.poll(() => upstream.state, { interval: 10 }).toBe("down");
    child.kill("SIGCONT");
    expect((await call).status).toBe(200);
    await expect.poll(() => upstream.state, { interval: 10 }).toBe("ready");
  });

  it("survives 2000 rapid cancels on its one connection", async () => {
    let connections = 0;
    const waiting: ServerCall[] = [];
    const listener = await serve((call) => {
      if (call.path === "/slow") waiting.push(call);
      else void echo(call);
    });
    const upstream = await ready(await dial(listener.address.port));
    upstream.onState(() => {
      connections += 1;
    });
    for (let round = 0; round < 20; round++) {
      const controller = new AbortController();
      const calls = Array.from({ length: 100 }, () =>
        upstream.unary({ path: "/slow", headers: {}, body: empty, signal: controller.signal }),
      );
      const outcomes = Promise.allSettled(calls);
      await sleep(1);
      controller.abort();
      for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: { kind: "cancelled" } });
      for (const call of waiting.splice(0)) call.respond({ status: 200, headers: {} });
    }
    const result = await upstream.unary({ path: "/", headers: {}, body: Buffer.from("alive") });
    expect(result.body.toString()).toBe("alive");
    expect(connections).toBe(0);
  });

  it("ends the wait at the time limit", async () => {
    const listener = await serve(() => {});
    const upstream = await ready(await dial(listener.address.port));
    await expect(upstream.unary({ path: "/", headers: {}, body: empty, timeoutMs: 30 })).rejects.toMatchObject({
      kind: "timeout",
    });
  });

  it("streams both ways at once", async () => {
    const listener = await serve(async (call) => {
      const writer = call.open(200, {});
      for await (const chunk of call.chunks()) await writer.write(Buffer.from(chunk.toString().toUpperCase()));
      writer.end({ "grpc-status": "0" });
    });
    const upstream = await ready(await dial(listener.address.port));
    const stream = upstream.open({ path: "/", headers: {} });
    const answers = stream.chunks()[Symbol.asyncIterator]();
    for (const word of ["one", "two"]) {
      stream.write(Buffer.from(word));
      expect((await answers.next()).value?.toString()).toBe(word.toUpperCase());
    }
    stream.end();
    expect((await answers.next()).done).toBe(true);
    expect(await stream.trailers).toEqual({ "grpc-status": "0" });
  });
});

const peerProgram = `
const server = require("node:http2").createServer();
server.on("stream", (stream, headers) => { stream.on("error", () => {}); stream.respond({ ":status": 200 });
  if (stream.sentHeaders && headers[":path"] === "/half") stream.write("half"); else stream.end("ok");
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;

const settingsFrame = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

function resetFrame(stream: number, code: number): Buffer {
  const frame = Buffer.from([0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 0, 0, code]);
  frame.writeUInt32BE(stream, 5);
  return frame;
}

/** Stream ids of the HEADERS frames in a piece of a connection, its preface skipped. */
function headersStreams(data: Buffer): number[] {
  const streams: number[] = [];
  let at = data.subarray(0, 3).toString() === "PRI" ? 24 : 0;
  while (at + 9 <= data.length) {
    if (data[at + 3] === 1) streams.push(data.readUInt32BE(at + 5));
    at += 9 + data.readUIntBE(at, 3);
  }
  return streams;
}

async function fakePeer(onConnection: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as { port: number }).port };
}
