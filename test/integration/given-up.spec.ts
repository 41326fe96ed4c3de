import { systemClock } from "@aimass/core";
import { encodeInferRequest } from "@aimass/oip";
import { slowModel } from "@aimass/onnx/samples";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waysToGiveUp } from "../support/given-up.ts";
import { InferClient } from "../support/infer-client.ts";
import { TestMesh } from "../support/test-mesh.ts";

let mesh: TestMesh;
let client: InferClient;
/** Rounds of the model that take at least a second here, however busy the machine was when they were timed. */
let secondOfRounds = 0;

beforeAll(async () => {
  mesh = await TestMesh.start({ replicas: 1 });
  await mesh.serve("slow", slowModel(), 1);
  client = new InferClient({ addresses: [mesh.address()], apiKey: mesh.apiKey, deadlineMs: 60_000 });
  for (let i = 0; i < 5; i += 1) {
    const startedAt = performance.now();
    await client.infer(message(1000));
    secondOfRounds = Math.max(secondOfRounds, Math.round(1_000_000 / (performance.now() - startedAt)));
  }
}, 120_000);

afterAll(async () => {
  client?.close();
  await mesh?.[Symbol.asyncDispose]();
});

function message(rounds: number): Buffer {
  const bytes = new Uint8Array(BigInt64Array.of(BigInt(rounds)).buffer);
  const inputs = [{ name: "iterations", datatype: "INT64" as const, shape: [1], bytes, parameters: new Map() }];
  return encodeInferRequest({
    modelName: "slow",
    modelVersion: "",
    id: "",
    parameters: new Map(),
    inputs,
    outputs: [],
  });
}

function call(rounds: number) {
  const inputs = [{ name: "iterations", datatype: "INT64", shape: [1], data: [rounds] }];
  return { path: "/v2/models/slow/infer", json: JSON.stringify({ inputs }), message: message(rounds) };
}

async function runs(): Promise<number> {
  const answer = await fetch(`${mesh.mesh.url()}/v2/models/slow/stats`, {
    headers: { authorization: `Bearer ${mesh.apiKey}` },
  });
  const { model_stats: all } = (await answer.json()) as { model_stats: { execution_count: number }[] };
  return all[0]?.execution_count ?? 0;
}

describe("calls that were given up while they waited", () => {
  it.each(Object.keys(waysToGiveUp))(
    "are not run: 40 times %s",
    async (way) => {
      const before = await runs();
      // The thread is busy for longer than it takes to give up.
      const under = [client.infer(message(3 * secondOfRounds)), client.infer(message(secondOfRounds))];
      await systemClock.sleep(100);
      const giveUp = waysToGiveUp[way] as (typeof waysToGiveUp)[string];
      await Promise.all(
        Array.from({ length: 40 }, () => giveUp(mesh.address(), mesh.apiKey, call(secondOfRounds), 400)),
      );
      expect((await client.infer(message(1))).ok).toBe(true);
      for (const outcome of await Promise.all(under)) expect(outcome.ok).toBe(true);
      expect((await runs()) - before).toBe(3);
    },
    60_000,
  );
});
