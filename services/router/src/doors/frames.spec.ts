import { gzipSync } from "node:zlib";
import { ReceivedBytes } from "@aimass/rpc";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assertUnaryFrame, frame, readFrames, trailerFrame, withPlainFrame } from "./frames.ts";
import { parseRestPath } from "./rest-path.ts";

async function* inPieces(bytes: Buffer, cuts: readonly number[]): AsyncIterable<Buffer> {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...at, bytes.length]) {
    if (to > from) yield bytes.subarray(from, to);
    from = to;
  }
}

const received = new ReceivedBytes(1024 * 1024);
const meter = received.of("user:ada");

describe("readFrames()", () => {
  it("finds the same messages however the bytes are cut", async () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(messages, fc.array(fc.nat(), { maxLength: 20 }), async (sent, cuts) => {
        const bytes = Buffer.concat(sent.map((message) => frame(message)));
        const got: Buffer[] = [];
        for await (const framed of readFrames(inPieces(bytes, cuts), { limitBytes: 1000, meter })) {
          got.push(framed);
          meter.remove(framed.length);
        }
        expect(got.map((g) => g.subarray(5).toString("hex"))).toEqual(sent.map((m) => Buffer.from(m).toString("hex")));
      }),
    );
  });

  it("refuses a message over the limit before its bytes have come, and one cut short", async () => {
    const read = async (bytes: Buffer) => {
      for await (const _ of readFrames(inPieces(bytes, []), { limitBytes: 100, meter }));
    };
    const huge = Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]);
    await expect(read(huge)).rejects.toMatchObject({ code: "RESOURCE_EXHAUSTED" });
    await expect(read(frame(Buffer.alloc(50)).subarray(0, 30))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("unfolds compressed messages, within the limit", async () => {
    const packed = frame(gzipSync(Buffer.alloc(5000, 1)), 1);
    const unfold = (encoding: string | undefined, limitBytes: number) =>
      withPlainFrame(packed, { encoding, limitBytes, meter }, async (plain) => plain);
    assertUnaryFrame(packed);
    const framed = await unfold("gzip", 10_000);
    expect(framed).toHaveLength(5005);
    expect(framed[0]).toBe(0);
    await expect(unfold("gzip", 1000)).rejects.toMatchObject({ reason: "BODY_TOO_LARGE" });
    await expect(unfold(undefined, 10_000)).rejects.toMatchObject({ reason: "BAD_FRAME" });
    expect(received.totalBytes).toBe(0);
  });

  it("throws nothing but its own errors, whatever comes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
        try {
          const options = { encoding: "gzip", limitBytes: 1000, meter };
          for await (const framed of readFrames(inPieces(Buffer.from(bytes), [7, 11]), options)) {
            await withPlainFrame(framed, options, async () => {}).finally(() => meter.remove(framed.length));
          }
        } catch (error) {
          expect(error).toMatchObject({ name: "AimassError" });
        }
      }),
    );
  });
});

it("writes gRPC-Web trailers as lines", () => {
  expect(trailerFrame({ "grpc-status": "0", a: "b" }).subarray(5).toString()).toBe("grpc-status: 0\r\na: b\r\n");
});

describe("parseRestPath()", () => {
  it.each([
    ["/v2", { action: "server", model: "", version: "" }],
    ["/v2/", { action: "server", model: "", version: "" }],
    ["/v2/models/m", { action: "model", model: "m", version: "" }],
    ["/v2/models/team.m/versions/3?x=1", { action: "model", model: "team.m", version: "3" }],
    ["/v2/models/m/versions/live/infer", { action: "infer", model: "m", version: "live" }],
    ["/v2/models/stats", { action: "stats", model: "", version: "" }],
    ["/v2/models/m/versions/1/stats", { action: "stats", model: "m", version: "1" }],
    ["/models/m/predict", { action: "predict", model: "m", version: "" }],
    ["/models/m/versions/2/predict", { action: "predict", model: "m", version: "2" }],
    ["/predict", { action: "predict", model: "", version: "" }],
    ["/", { action: "alive", model: "", version: "" }],
  ])("reads %s", (path, target) => {
    expect(parseRestPath(path)).toEqual(target);
  });

  it.each([
    "/v2/models",
    "/models/m",
    "/v2/models/m/infer/more",
    "/v2/models/m/constructor",
    "/v3",
    "/v2/models//infer",
  ])("gives nothing, or the list, for %s", (path) => {
    expect(parseRestPath(path)?.action ?? "index").toBe("index");
  });

  it("never throws", () => {
    fc.assert(fc.property(fc.webPath(), (path) => void parseRestPath(path)));
    fc.assert(fc.property(fc.string(), (path) => void parseRestPath(`/${path}`)));
  });
});
