import { AimassError } from "@aimass/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRestPath } from "../rest/rest-path.ts";
import { deadlineOf } from "./deadline.ts";
import { errorTrailers, percentEncode } from "./grpc-answer.ts";
import { readMessages, readUnaryMessage } from "./grpc-frames.ts";

const frame = (payload: Uint8Array, flag = 0) => {
  const framed = Buffer.alloc(5 + payload.length);
  framed[0] = flag;
  framed.writeUInt32BE(payload.length, 1);
  framed.set(payload, 5);
  return framed;
};

async function* pieces(body: Buffer, size: number) {
  for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
}

async function collect(messages: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const message of messages) all.push(Buffer.from(message));
  return all;
}

describe("gRPC frames", () => {
  it("come out as they went in, however the stream is cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
        fc.integer({ min: 1, max: 50 }),
        async (messages, size) => {
          const got = await collect(
            readMessages(pieces(Buffer.concat(messages.map((m) => frame(m))), size), undefined, 1000),
          );
          expect(got.map((m) => [...m])).toEqual(messages.map((m) => [...m]));
        },
      ),
    );
  });

  it("that came together are handed out over many turns", async () => {
    const together = Buffer.concat(Array.from({ length: 64 }, () => frame(new Uint8Array(64 * 1024))));
    let turns = 0;
    const count = () => {
      turns += 1;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    expect(await collect(readMessages(pieces(together, together.length), undefined, 100_000))).toHaveLength(64);
    clearImmediate(timer);
    expect(turns).toBeGreaterThanOrEqual(10);
  });

  it("are refused when they are cut short, too large, or compressed in an unnamed way", async () => {
    const whole = frame(new Uint8Array(20));
    await expect(collect(readMessages(pieces(whole.subarray(0, 12), 4), undefined, 100))).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(collect(readMessages(pieces(frame(new Uint8Array(200)), 16), undefined, 100))).rejects.toMatchObject({
      code: "RESOURCE_EXHAUSTED",
    });
    expect(() => readUnaryMessage(whole.subarray(0, 24), undefined, 100)).toThrow("not one gRPC message");
    expect(() => readUnaryMessage(frame(new Uint8Array(3), 1), undefined, 100)).toThrow("names no encoding");
  });
});

describe("grpc-timeout", () => {
  it.each([
    ["1H", 3_600_000],
    ["2M", 120_000],
    ["3S", 3000],
    ["250m", 250],
    ["500u", 0.5],
    ["1000n", 0.001],
  ])("%s is %d ms", (text, ms) => {
    expect(deadlineOf(text, 1000)).toBeCloseTo(1000 + ms, 6);
  });

  it("is unbounded when absent and refused when it is none", () => {
    expect(deadlineOf(undefined, 5)).toBe(Number.POSITIVE_INFINITY);
    for (const text of ["", "5", "-1S", "1s", "123456789m"]) expect(() => deadlineOf(text, 0)).toThrow(AimassError);
  });
});

describe("an error on the wire", () => {
  it("percent-encodes its message so that any text comes back", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const encoded = percentEncode(text);
        expect(encoded).toMatch(/^[\x20-\x7e]*$/);
        expect(decodeURIComponent(encoded)).toBe(Buffer.from(text).toString());
      }),
    );
  });

  it("carries code, advice and the time to try again", () => {
    const error = new AimassError("RESOURCE_EXHAUSTED", "The queue is full.", {
      remedy: "Wait.",
      retryAfterMs: 20,
      reason: "QUEUE_FULL",
    });
    const trailers = errorTrailers(error);
    expect(trailers).toMatchObject({
      "grpc-status": "8",
      "grpc-message": "The queue is full. Wait.",
      "grpc-retry-pushback-ms": "20",
    });
    expect(Buffer.from(trailers["grpc-status-details-bin"] ?? "", "base64").toString("latin1")).toContain("QUEUE_FULL");
  });
});

describe("REST paths", () => {
  it.each([
    ["/v2", { action: "server", model: "", version: "" }],
    ["/v2/health/live", { action: "live", model: "", version: "" }],
    ["/v2/health/ready", { action: "server-ready", model: "", version: "" }],
    ["/v2/models/stats", { action: "all-stats", model: "", version: "" }],
    ["/v2/models/a", { action: "model", model: "a", version: "" }],
    ["/v2/models/a/versions/2", { action: "model", model: "a", version: "2" }],
    ["/v2/models/p.a/infer?x=1", { action: "infer", model: "p.a", version: "" }],
    ["/v2/models/a/versions/2/infer", { action: "infer", model: "a", version: "2" }],
    ["/v2/models/a/ready/", { action: "ready", model: "a", version: "" }],
    ["/v2/models/a/config", { action: "config", model: "a", version: "" }],
    ["/v2/models/a/stats", { action: "stats", model: "a", version: "" }],
    ["/predict", { action: "predict", model: "", version: "" }],
    ["/models/a/predict", { action: "predict", model: "a", version: "" }],
    ["/models/a/versions/3/predict", { action: "predict", model: "a", version: "3" }],
  ])("%s", (path, target) => {
    expect(parseRestPath(path)).toEqual(target);
  });

  it.each([
    "/",
    "/v1",
    "/v2/models",
    "/v2/models/a/toString",
    "/v2/models/a/infer/more",
    "/models/a",
    "/v2/models/%zz/infer",
    "/v2/models/a/versions",
  ])("%s is none", (path) => {
    expect(parseRestPath(path)).toBeUndefined();
  });
});
