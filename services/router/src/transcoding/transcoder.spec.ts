import { ModelInferRequestSchema, ModelInferResponseSchema } from "@aimass/api/inference";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, describe, expect, it } from "vitest";
import { Transcoder } from "./transcoder.ts";

const transcoder = new Transcoder();
const never = new AbortController().signal;

afterAll(() => transcoder[Symbol.asyncDispose]());

/** How many turns of the event loop others had while something was made. */
async function turnsDuring<T>(make: () => Promise<T>): Promise<{ made: T; turns: number }> {
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  const made = await make();
  clearInterval(timer);
  return { made, turns };
}

describe("what the doors transcode, small and large alike", () => {
  it.each([10, 150_000])("is a request from JSON: %i numbers", async (count) => {
    const inputs = [
      { name: "x", datatype: "FP32", shape: [count], contents: { fp32Contents: Array(count).fill(0.5) } },
    ];
    const body = Buffer.from(JSON.stringify({ modelName: "m", unknown: {}, inputs }));
    const read = fromBinary(ModelInferRequestSchema, await transcoder.run("request from JSON", body, never));
    expect(read.modelName).toBe("m");
    expect(read.inputs[0]?.contents?.fp32Contents.length).toBe(count);
  });

  it.each([10, 2_000_000])("is an answer to JSON: %i bytes", async (size) => {
    const answer = create(ModelInferResponseSchema, {
      modelName: "m",
      rawOutputContents: [new Uint8Array(size).fill(7)],
    });
    const json = await transcoder.run("answer to JSON", toBinary(ModelInferResponseSchema, answer), never);
    const { rawOutputContents } = JSON.parse(json.toString());
    expect(Buffer.from(rawOutputContents[0], "base64").equals(Buffer.alloc(size, 7))).toBe(true);
  });

  it.each([10, 3_000_001])("is base64, there and back: %i bytes", async (size) => {
    const bytes = Buffer.from(new Uint8Array(size).map((_, i) => i * 31));
    const expected = bytes.toString("base64");
    const text = await transcoder.run("to base64", bytes, never);
    expect(text.toString("latin1") === expected).toBe(true);
    const back = await transcoder.run("from base64", text, never);
    expect(back.toString("base64") === expected).toBe(true);
  });

  it.each([10, 100_000])("is refused when it is no request: %i characters", async (size) => {
    const call = transcoder.run("request from JSON", Buffer.from(`{"modelName": ${"[".repeat(size)}`), never);
    await expect(call).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "BAD_JSON",
      message: expect.stringMatching(/no ModelInferRequest in JSON/),
    });
  });

  it("holds up nobody, though many small objects take long", async () => {
    const body = Buffer.from(`{"inputs":[${new Array(65_000).fill("{}").join(",")}]}`);
    await transcoder.run("request from JSON", Buffer.alloc(20_000, " "), never).catch(() => {});
    const { made, turns } = await turnsDuring(() => transcoder.run("request from JSON", body, never));
    expect(made.length).toBe(130_000);
    expect(turns).toBeGreaterThanOrEqual(5);
  });
});
