import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { connect as connectTcp, type Socket } from "node:net";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { systemClock } from "@aimass/core";
import { afterEach, describe, expect, it } from "vitest";
import { testCertificate } from "./certificate.fixture.ts";
import { type Listener, type ListenOptions, listen, type ServerCall, Upstream } from "./index.ts";

const running: Listener[] = [];
const upstreams: Upstream[] = [];

afterEach(async () => {
  for (const upstream of upstreams.splice(0)) upstream.close();
  await Promise.all(running.splice(0).map((listener) => listener.drain(0)));
});

async function serve(
  handler: (call: ServerCall) => void | Promise<void>,
  options: Partial<ListenOptions> = {},
): Promise<Listener> {
  const listener = await listen({
    listen: { host: "127.0.0.1", port: 0 },
    handler: (call) => void handler(call),
    ...options,
  });
  running.push(listener);
  return listener;
}

async function dial(listener: Listener): Promise<Upstream> {
  const upstream = new Upstream({ address: listener.address, clock: systemClock });
  upstreams.push(upstream);
  while (upstream.state !== "ready") await sleep(5);
  return upstream;
}

async function echo(call: ServerCall): Promise<void> {
  const body = await call.body(128 * 1024 * 1024);
  call.respond({ status: 200, headers: { "x-path": call.path }, body, trailers: { "grpc-status": "0" } });
}

async function rawConnection(listener: Listener): Promise<Socket> {
  const socket = connectTcp(listener.address.port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

async function readAll(socket: Readable): Promise<string> {
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  await once(socket, "close");
  return text;
}

describe("a target that is a whole address", () => {
  it.each([
    ["http://mesh.example:5000/models/m/predict?x=1", "/models/m/predict?x=1 mesh.example:5000 mesh.example:5000"],
    ["HTTP://mesh.example", "/ mesh.example mesh.example"],
    ["https://mesh.example?x=1", "/?x=1 mesh.example mesh.example"],
    ["http://evil.example@127.0.0.1/", "/ evil.example@127.0.0.1 evil.example@127.0.0.1"],
    ["/http://mesh.example/", "/http://mesh.example/ other.example other.example"],
  ])("is its path, with its host instead of the field: %s", async (target, meant) => {
    const listener = await serve((call) =>
      call.respond({
        status: 200,
        headers: {},
        body: Buffer.from(`${call.path} ${call.authority} ${call.headers.host}`),
      }),
    );
    const socket = await rawConnection(listener);
    socket.write(`GET ${target} HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n`);
    expect(await readAll(socket)).toContain(`\r\n\r\n${meant}`);
  });
});

describe("a listener", () => {
  it("speaks HTTP/1.1 and HTTP/2 on one port", async () => {
    const listener = await serve(async (call) => {
      const body = await call.body(1000);
      call.respond({
        status: 200,
        headers: { "content-type": "text/plain" },
        body: Buffer.from(`${call.protocol} ${call.method} ${body}`),
      });
    });
    const answer = await fetch(`http://127.0.0.1:${listener.address.port}/a?b=c`, { method: "POST", body: "hello" });
    expect(await answer.text()).toBe("http/1.1 POST hello");
    const upstream = await dial(listener);
    const result = await upstream.unary({ path: "/a", headers: {}, body: Buffer.from("hello") });
    expect(result.body.toString()).toBe("h2 POST hello");
  });

  it("recognises HTTP/2 when its preface comes byte by byte", async () => {
    const listener = await serve(echo);
    const socket = await rawConnection(listener);
    const preface = Buffer.concat([
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
    ]);
    for (const byte of preface) {
      socket.write(Buffer.from([byte]));
      await sleep(1);
    }
    const [first] = (await once(socket, "data")) as [Buffer];
    expect(first[3]).toBe(4); // SETTINGS
    socket.destroy();
  });

  it("speaks both over TLS, as ALPN agrees", async () => {
    const listener = await serve(
      async (call) =>
        call.respond({
          status: 200,
          headers: {},
          body: Buffer.concat([
            Buffer.from(call.isEncrypted ? `encrypted ${call.protocol}` : call.protocol),
            await call.body(10),
          ]),
        }),
      { tls: testCertificate },
    );
    const options = { ca: testCertificate.cert };
    const session = connectHttp2(`https://localhost:${listener.address.port}`, options);
    const stream = session.request({ ":path": "/", ":method": "POST" });
    stream.end(" by TLS");
    expect(await readAll(stream)).toBe("encrypted h2 by TLS");
    session.close();
    const answer = await new Promise<IncomingMessage>((resolve) => {
      httpsRequest({ port: listener.address.port, host: "localhost", method: "POST", ...options }, resolve).end(" too");
    });
    expect(await readAll(answer)).toBe("encrypted http/1.1 too");
  });

  it("does not take clear text for TLS, whatever its headers say", async () => {
    const seen: boolean[] = [];
    const listener = await serve((call) => {
      seen.push(call.isEncrypted);
      call.respond({ status: 200, headers: {} });
    });
    await fetch(`http://127.0.0.1:${listener.address.port}`, { headers: { "x-forwarded-proto": "https" } });
    const session = connectHttp2(`http://127.0.0.1:${listener.address.port}`);
    await readAll(session.request({ ":path": "/", ":scheme": "https" }));
    session.close();
    expect(seen).toEqual([false, false]);
  });

  it("sends trailers over HTTP/1.1 as chunked trailers", async () => {
    const listener = await serve(echo);
    const answer = await new Promise<IncomingMessage>((resolve) => {
      const request = httpRequest({ port: listener.address.port, method: "POST" }, resolve);
      request.end("x");
    });
    answer.resume();
    await once(answer, "end");
    expect(answer.trailers["grpc-status"]).toBe("0");
  });

  it("sends answers in pieces as one, by both protocols, with trailers and without", async () => {
    const pieces = [Buffer.from("one "), Buffer.alloc(0), Buffer.alloc(3_000_000, "2"), Buffer.from(" three")];
    const whole = Buffer.concat(pieces).toString();
    const answering = await serve((call) => {
      if (call.path === "/opened") {
        const writer = call.open(200, {});
        void writer.write(pieces);
        return writer.end({ x: "y" });
      }
      call.respond({
        status: 200,
        headers: {},
        body: pieces,
        ...(call.path === "/trailers" && { trailers: { x: "y" } }),
      });
    });
    const upstream = await dial(answering);
    for (const path of ["/plain", "/trailers", "/opened"]) {
      expect((await upstream.unary({ path, headers: {}, body: Buffer.alloc(0) })).body.toString() === whole, path).toBe(
        true,
      );
      const http1 = await fetch(`http://127.0.0.1:${answering.address.port}${path}`);
      expect((await http1.text()) === whole, path).toBe(true);
    }
  });

  it.each(["a whole answer", "an answer that was opened"])("encrypts %s of 64 MB in many turns", async (way) => {
    const body = Buffer.alloc(64 * 1024 * 1024, 7);
    const turns = { longest: 0, all: 0, isDone: false };
    let before = process.threadCpuUsage();
    const look = () => {
      const now = process.threadCpuUsage();
      const used = now.user + now.system - before.user - before.system;
      before = now;
      turns.longest = Math.max(turns.longest, used);
      turns.all += used;
      if (!turns.isDone) setImmediate(look);
    };
    const listener = await serve(
      (call) => {
        before = process.threadCpuUsage();
        setImmediate(look);
        if (way === "a whole answer") return call.respond({ status: 200, headers: {}, body });
        const writer = call.open(200, {});
        void writer.write(body);
        writer.end();
      },
      { tls: testCertificate },
    );
    // Reads on a thread of its own.
    const reader = new Worker(
      `require("node:https").get({ port: ${listener.address.port}, rejectUnauthorized: false }, (answer) => {
         let size = 0;
         answer.on("data", ({ length }) => (size += length));
         answer.on("end", () => require("node:worker_threads").parentPort.postMessage(size));
       });`,
      { eval: true },
    );
    expect((await once(reader, "message"))[0]).toBe(body.length);
    turns.isDone = true;
    expect(turns.longest).toBeLessThan(turns.all / 4);
  });

  it("keeps an HTTP/1.1 connection for the next request and answers Expect: 100-continue", async () => {
    const listener = await serve(async (call) => {
      const body = await call.body(100);
      call.respond({ status: 200, headers: {}, body });
    });
    const socket = await rawConnection(listener);
    const text = readAll(socket);
    socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    await sleep(30);
    socket.write("ok");
    await sleep(30);
    socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
    const seen = await text;
    expect(seen).toContain("100 Continue");
    expect(seen.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    expect(seen.split("\r\n\r\n")[2]).toContain("ok");
  });

  it("refuses a body over the limit in a sentence, whether its length is declared or not", async () => {
    const failures: string[] = [];
    const listener = await serve(async (call) => {
      await call
        .body(1000)
        .catch((error: { code: string; message: string }) => failures.push(`${error.code} ${error.message}`));
      call.respond({ status: 413, headers: {}, body: Buffer.from("too large") });
    });
    const declared = await fetch(`http://127.0.0.1:${listener.address.port}/`, {
      method: "POST",
      body: Buffer.alloc(3_000_000),
    });
    expect([declared.status, await declared.text()]).toEqual([413, "too large"]);
    const upstream = await dial(listener);
    const undeclared = await upstream.unary({ path: "/", headers: {}, body: Buffer.alloc(3_000_000) });
    expect(undeclared.status).toBe(413);
    expect(failures).toEqual(
      Array(2).fill("RESOURCE_EXHAUSTED The request body is larger than the limit of 1000 bytes."),
    );
  });

  it("notices a body that is cut short, by both protocols", async () => {
    const outcomes: string[] = [];
    const listener = await serve(async (call) => {
      await call.body(1000).then(
        () => outcomes.push("whole"),
        (error: { code: string }) => outcomes.push(`${call.protocol} ${error.code}`),
      );
      call.respond({ status: 200, headers: {} });
    });
    const socket = await rawConnection(listener);
    socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    await sleep(30);
    socket.destroy();
    const session = connectHttp2(`http://127.0.0.1:${listener.address.port}`);
    session.on("error", () => {});
    const stream = session.request({ ":method": "POST", ":path": "/" });
    stream.on("error", () => {});
    stream.write("half");
    await sleep(50);
    session.destroy();
    await expect.poll(() => outcomes.toSorted()).toEqual(["h2 CANCELLED", "http/1.1 CANCELLED"]);
  });

  it("aborts the signal when the client goes before its answer, and answering then does nothing", async () => {
    const aborted: string[] = [];
    const listener = await serve((call) => {
      call.signal.addEventListener("abort", () => {
        aborted.push(call.protocol);
        call.respond({ status: 200, headers: {}, body: Buffer.from("late"), trailers: { a: "b" } });
        const writer = call.open(200, {});
        writer.write(Buffer.from("later"));
        writer.end();
        writer.reset();
      });
    });
    const socket = await rawConnection(listener);
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await sleep(30);
    socket.destroy();
    const session = connectHttp2(`http://127.0.0.1:${listener.address.port}`);
    session.on("error", () => {});
    session.request({ ":path": "/" }).on("error", () => {});
    await sleep(50);
    session.destroy();
    await expect.poll(() => aborted.toSorted()).toEqual(["h2", "http/1.1"]);
  });

  /** How a call ends while others on its connection are given up; "closed" where the connection goes. */
  async function callBeside(givenUp: number, options: Partial<ListenOptions> = {}): Promise<string> {
    const listener = await serve(async (call) => {
      if (call.path === "/fast") await echo(call).catch(() => {});
    }, options);
    const session = connectHttp2(`http://127.0.0.1:${listener.address.port}`);
    const closed = new Promise<string>((resolve) => session.once("close", () => resolve("closed")));
    session.on("error", () => {});
    const honest = session.request({ ":method": "POST", ":path": "/fast" });
    honest.on("error", () => {});
    for (let i = 0; i < givenUp && !session.destroyed; i++) {
      const stream = session.request({ ":path": "/slow" });
      stream.on("error", () => {});
      stream.close(8);
      if (i % 100 === 99) await sleep(5);
    }
    honest.end("mine");
    const outcome = await Promise.race([readAll(honest), closed]);
    session.destroy();
    return outcome;
  }

  it("answers a call beside thousands on its connection that are given up, and closes one that gives up without measure", async () => {
    expect(await callBeside(3000)).toBe("mine");
    expect(await callBeside(3000, { resetBurst: 1000, resetRate: 33 })).not.toBe("mine");
  });

  it("does not abort the signal of a call that was answered", async () => {
    let signal: AbortSignal | undefined;
    const listener = await serve(async (call) => {
      signal = call.signal;
      await echo(call);
    });
    const upstream = await dial(listener);
    await upstream.unary({ path: "/", headers: {}, body: Buffer.from("x") });
    await sleep(20);
    expect(signal?.aborted).toBe(false);
  });

  it("drops a connection that says nothing and one whose headers never end", async () => {
    const listener = await serve(echo, { headerTimeoutMs: 150 });
    const silent = await rawConnection(listener);
    const slow = await rawConnection(listener);
    slow.write("GET / HTTP/1.1\r\nHost: a\r\n");
    const dripping = setInterval(() => slow.write("x-a: b\r\n"), 20);
    const started = performance.now();
    // A peer that still writes when the door closes may meet the reset before it has read the answer.
    const slowAnswer = readAll(slow).catch((error: NodeJS.ErrnoException) => error.code);
    const [, answer] = await Promise.all([once(silent, "close"), slowAnswer]);
    clearInterval(dripping);
    expect(answer).toMatch(/408|ECONNRESET|EPIPE/);
    expect(performance.now() - started).toBeLessThan(3000);
  });

  it("refuses headers over the limit with 431 or a reset, and serves the next request", async () => {
    const listener = await serve(echo, { maxHeaderBytes: 8192 });
    const answer = await new Promise<number>((resolve) => {
      httpRequest({ port: listener.address.port, headers: { "x-big": "a".repeat(20_000) } }, (r) =>
        resolve(r.statusCode ?? 0),
      ).end();
    });
    expect(answer).toBe(431);
    const upstream = await dial(listener);
    const big = upstream.unary({ path: "/", headers: { "x-big": "a".repeat(20_000) }, body: Buffer.alloc(0) });
    await expect(big).rejects.toThrow("broke the call off");
    const next = await upstream.unary({ path: "/", headers: {}, body: Buffer.from("ok") });
    expect(next.body.toString()).toBe("ok");
  });

  it("refuses a request that names two hosts", async () => {
    const socket = await rawConnection(await serve(echo));
    socket.write("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    expect(await readAll(socket)).toMatch(/^HTTP\/1.1 400 /);
  });

  it("holds a writer back while its reader is slow, and streams in constant memory", async () => {
    let written = 0;
    let isHeldBack = false;
    const listener = await serve(async (call) => {
      const writer = call.open(200, {});
      for (let i = 0; i < 256; i++) {
        const slow = writer.write(Buffer.alloc(256 * 1024));
        written += 1;
        if (slow !== undefined) {
          isHeldBack = true;
          await slow;
        }
      }
      writer.end({ done: "yes" });
    });
    const upstream = await dial(listener);
    const stream = upstream.open({ path: "/", headers: {} });
    stream.end();
    await stream.response;
    await sleep(100);
    expect(isHeldBack).toBe(true);
    expect(written).toBeLessThan(200);
    let bytes = 0;
    for await (const chunk of stream.chunks()) bytes += chunk.length;
    expect(bytes).toBe(64 * 1024 * 1024);
    expect(await stream.trailers).toEqual({ done: "yes" });
  });

  it("finishes what runs when it drains, refuses what is new, and closes", async () => {
    const listener = await serve(async (call) => {
      await sleep(200);
      await echo(call);
    });
    const upstream = await dial(listener);
    const kept = await rawConnection(listener);
    const keptText = readAll(kept);
    kept.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    const call = upstream.unary({ path: "/", headers: {}, body: Buffer.from("running") });
    await sleep(50);
    const drained = listener.drain(3000);
    expect((await call).body.toString()).toBe("running");
    await drained;
    expect(await keptText).toMatch(/connection: close/i);
    const refused = await upstream
      .unary({ path: "/", headers: {}, body: Buffer.alloc(0) })
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ started: false });
  });

  it("ends what still runs when the grace is over", async () => {
    const listener = await serve(() => {});
    const upstream = await dial(listener);
    const call = upstream.unary({ path: "/", headers: {}, body: Buffer.alloc(0) }).catch((error: unknown) => error);
    await sleep(20);
    await listener.drain(100);
    expect(await call).toMatchObject({ name: "TransportError", started: true });
  });

  it("sends a client with an old connection elsewhere without losing a call", async () => {
    const listener = await serve(echo, { maxConnectionAgeMs: 60 });
    const upstream = await dial(listener);
    const until = performance.now() + 600;
    let answered = 0;
    let refused = 0;
    while (performance.now() < until || answered <= 50) {
      try {
        await upstream.unary({ path: "/", headers: {}, body: Buffer.from("x") });
        answered += 1;
      } catch (error) {
        expect(error).toMatchObject({ started: false });
        refused += 1;
        await sleep(2);
      }
    }
    expect(refused).toBeLessThan(answered);
  });
});
