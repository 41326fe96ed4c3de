import { FleetService } from "@aimass/api/scheduler";
import { deployModel } from "@aimass/cli";
import { type Datatype, encodeInferRequest } from "@aimass/oip";
import { poisonModel, tinyModel } from "@aimass/onnx/samples";
import { waitFor } from "@aimass/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { InferClient, type InferOutcome } from "../support/infer-client.ts";
import { TestMesh } from "../support/test-mesh.ts";

const unavailable = 14;

let mesh: TestMesh;
let client: InferClient;

beforeAll(async () => {
  mesh = await TestMesh.start({ replicas: 1 });
  client = new InferClient({ addresses: [mesh.address()], apiKey: mesh.apiKey, deadlineMs: 20_000 });
}, 120_000);

afterAll(async () => {
  client?.close();
  await mesh?.[Symbol.asyncDispose]();
});

function ask(modelName: string, datatype: Datatype, shape: readonly number[], bytes: ArrayBufferLike) {
  const input = { name: "x", datatype, shape, bytes: new Uint8Array(bytes), parameters: new Map() };
  const request = { modelName, modelVersion: "", id: "", parameters: new Map(), inputs: [input], outputs: [] };
  return client.infer(encodeInferRequest(request, { framed: false }));
}

const askPoison = (value: number) => ask("poison", "INT32", [1], Int32Array.of(value).buffer);
const askTiny = () => ask("tiny", "FP32", [1, 4], new Float32Array(4).buffer);
const fleet = () => mesh.admin.client(FleetService);

async function answered(call: () => Promise<InferOutcome>): Promise<void> {
  await waitFor(async () => (await call()).ok, { timeoutMs: 60_000, what: "an answer" });
}

// Integer division overflows with a signal on x86 alone.
describe.runIf(process.arch === "x64")("a version that takes its only replica down twice", () => {
  it("is taken out with the reason told, others serve on, and a release brings it back", async () => {
    await mesh.serve("tiny", tinyModel(), 1);
    await mesh.serve("poison", poisonModel(), 1);
    expect((await askPoison(5)).ok).toBe(true);

    // It is sent a second time, to the process that was started again, and never a third time.
    expect(await askPoison(-(2 ** 31))).toMatchObject({ ok: false, code: unavailable });
    // On a busy machine that call's time may be over before the process is there again.
    const isQuarantined = async () => {
      if ((await fleet().listQuarantine({})).quarantined.length > 0) return true;
      await askPoison(-(2 ** 31));
      return false;
    };
    await waitFor(isQuarantined, { timeoutMs: 120_000, intervalMs: 10_000 });
    expect((await fleet().listQuarantine({})).quarantined).toMatchObject([
      { model: "poison", version: 1n, crashes: 2 },
    ]);
    await answered(askTiny);
    await waitFor(async () => (await askPoison(5)).ok === false, { timeoutMs: 60_000 });
    expect(await askPoison(5)).toMatchObject({ code: unavailable, message: expect.stringMatching(/quarantined/) });

    await fleet().releaseQuarantine({ project: "default", model: "poison", version: 1n });
    await deployModel(mesh.admin, { project: "default", model: "poison", replicas: 1 });
    await answered(() => askPoison(5));
  }, 300_000);
});
