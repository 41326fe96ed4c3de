import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, constants } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "@aimass/core";
import { afterEach, describe, expect, it } from "vitest";
import { type Listener, listen, type ServerCall, Upstream } from "./index.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** How bodies ended at a listener: as many times "whole" with their size, and "cut". */
class Seen {
  readonly outcomes: string[] = [];

  /** Reads a body the way its path says, and confirms its end. */
  readonly handle = async (call: ServerCall): Promise<void> => {
    try {
      let size = 0;
      if (call.path === "/chunks") for await (const chunk of call.chunks()) size += chunk.length;
      else size = (await call.body(1 << 30)).length;
      if (call.path === "/confirmed") await call.confirmBody();
      this.outcomes.push(`whole ${size}`);
      call.respond({ status: 200, headers: {} });
    } catch {
      this.outcomes.push("cut");
    }
  };
}

async function serve(seen: Seen): Promise<Listener> {
  const listener = await listen({ listen: { host: "127.0.0.1", port: 0 }, handler: (call) => void seen.handle(call) });
  cleanups.push(() => listener.drain(0));
  return listener;
}

async function dial(listener: Listener): Promise<Upstream> {
  const upstream = new Upstream({ address: listener.address, clock: systemClock });
  cleanups.push(() => upstream.close());
  while (upstream.state !== "ready") await sleep(5);
  return upstream;
}

const times = 100;

describe("a body that our client gives up half-way", () => {
  it.each(["/body", "/chunks"])("is cut and never whole, read as %s", async (path) => {
    const seen = new Seen();
    const upstream = await dial(await serve(seen));
    for (let i = 0; i < times; i++) {
      const controller = new AbortController();
      const stream = upstream.open({ path, headers: {}, signal: controller.signal });
      stream.write(Buffer.from("half"));
      if (i % 2 === 0) await sleep(1);
      if (i % 4 < 2) stream.reset();
      else controller.abort();
      // What still runs on towards a call that was given up must not end it.
      stream.write(Buffer.from("more"));
      stream.end();
    }
    await expect.poll(() => seen.outcomes.length).toBe(times);
    expect(new Set(seen.outcomes)).toEqual(new Set(["cut"]));
  });

  it("is cut also after the budget of resets is spent", async () => {
    const seen = new Seen();
    const upstream = await dial(await serve(seen));
    const many = 450;
    for (let i = 0; i < many; i++) {
      const stream = upstream.open({ path: "/body", headers: {} });
      stream.write(Buffer.from("half"));
      stream.reset();
      stream.end();
    }
    await expect.poll(() => seen.outcomes.length, { timeout: 60_000 }).toBe(many);
    expect(new Set(seen.outcomes)).toEqual(new Set(["cut"]));
  }, 120_000);

  it("is cut when the time of a large unary call runs out in its middle", async () => {
    const seen = new Seen();
    const upstream = await dial(await serve(seen));
    const body = Buffer.alloc(32 * 1024 * 1024);
    const calls = Array.from({ length: 20 }, (_, i) =>
      upstream.unary({ path: "/body", headers: {}, body, timeoutMs: 1 + i }).catch(() => undefined),
    );
    await Promise.all(calls);
    await expect.poll(() => seen.outcomes.length).toBe(20);
    expect(seen.outcomes.filter((outcome) => outcome !== "cut" && outcome !== `whole ${body.length}`)).toEqual([]);
  });
});

describe("a body that another Node client cancels half-way, which ends it cleanly", () => {
  it("is told as cut when its end is confirmed, in one process", async () => {
    const seen = new Seen();
    const { port } = (await serve(seen)).address;
    const session = connect(`http://127.0.0.1:${port}`);
    session.on("error", () => {});
    cleanups.push(() => session.destroy());
    for (let i = 0; i < times; i++) {
      const stream = session.request({ ":method": "POST", ":path": "/confirmed" });
      stream.on("error", () => {});
      stream.write("half");
      if (i % 2 === 0) await sleep(1);
      stream.close(constants.NGHTTP2_CANCEL);
    }
    await expect.poll(() => seen.outcomes.length).toBe(times);
    expect(new Set(seen.outcomes)).toEqual(new Set(["cut"]));
  });

  it("is told as cut when its end is confirmed, between processes", async () => {
    const seen = new Seen();
    const { port } = (await serve(seen)).address;
    const client = spawn(process.execPath, ["-e", cancellingClient, String(port), String(times)]);
    cleanups.push(() => client.kill());
    await once(client, "exit");
    await expect.poll(() => seen.outcomes.length).toBe(times);
    expect(new Set(seen.outcomes)).toEqual(new Set(["cut"]));
  });

  it("is whole when it ends and nobody takes it back, and one with a length costs no round trip", async () => {
    const seen = new Seen();
    const upstream = await dial(await serve(seen));
    const ask = (headers: Record<string, string>) =>
      upstream.unary({ path: "/confirmed", headers, body: Buffer.from("whole") });
    await Promise.all([ask({}), ask({}), ask({ "content-length": "5" })]);
    expect(seen.outcomes).toEqual(["whole 5", "whole 5", "whole 5"]);
  });
});

const cancellingClient = `
const { connect, constants } = require("node:http2");
const [, port, times] = process.argv;
const session = connect("http://127.0.0.1:" + port);
session.on("error", () => {});
(async () => {
  for (let i = 0; i < Number(times); i++) {
    const stream = session.request({ ":method": "POST", ":path": "/confirmed" });
    stream.on("error", () => {});
    stream.write("half");
    await new Promise((resolve) => setTimeout(resolve, i % 5));
    stream.close(constants.NGHTTP2_CANCEL);
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  session.destroy();
})();
`;
