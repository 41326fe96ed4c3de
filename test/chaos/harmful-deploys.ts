import { AimassError } from "@aimass/core";
import { encodeInferRequest } from "@aimass/oip";
import { poisonModel, slowRowsModel, wideOutputModel } from "@aimass/onnx/samples";
import { waysToGiveUp } from "../support/given-up.ts";
import { InferClient } from "../support/infer-client.ts";
import type { ChaosContext } from "./context.ts";

/** Numbers of one answer of the wide model: 124 MB. */
const wideLength = 31_000_000;

/** A model of a second a row, one with answers of 124 MB, and one that kills its replica when it is called with the wrong number. */
export async function deployHarmfulModels(context: ChaosContext): Promise<void> {
  const { mesh } = context;
  await mesh.serve("slow-rows", slowRowsModel(), 2);
  await mesh.serve("wide", wideOutputModel(wideLength), 2);
  await mesh.serve("poison", poisonModel(), 1);
  const client = clientOf(context, 20_000);
  context.expectReplicaEnd();
  const x = {
    name: "x",
    datatype: "INT32" as const,
    shape: [1],
    bytes: new Uint8Array(Int32Array.of(-(2 ** 31)).buffer),
  };
  const outcome = await client.infer(request("poison", x));
  client.close();
  if (outcome.ok && process.arch === "x64") throw new AimassError("INTERNAL", "The poison was answered.");
}

/** Bursts of calls of a slow model that their clients give up: who calls it next waits for what was under way alone. */
export async function giveUpBursts(context: ChaosContext): Promise<void> {
  const rounds = 300;
  const iterations = { name: "iterations", datatype: "INT64" as const, shape: [1] };
  const bytes = new Uint8Array(BigInt64Array.of(BigInt(rounds)).buffer);
  const message = request("hang", { ...iterations, bytes });
  const json = JSON.stringify({ inputs: [{ ...iterations, data: [rounds] }] });
  const call = { path: "/v2/models/hang/infer", json, message };
  const { mesh } = context;
  const client = clientOf(context, 20_000);
  const alone = await timed(() => client.infer(message));
  for (const giveUp of Object.values(waysToGiveUp))
    await Promise.all(Array.from({ length: 50 }, () => giveUp(mesh.address(), mesh.apiKey, call, 100)));
  const after = await timed(() => client.infer(message));
  client.close();
  // Dead runs would be hundreds.
  if (after > 20 * alone + 3000)
    throw new AimassError(
      "INTERNAL",
      `A call took ${after.toFixed(0)} ms after the bursts, and ${alone.toFixed(0)} before.`,
    );
}

function clientOf({ mesh }: ChaosContext, deadlineMs: number): InferClient {
  return new InferClient({ addresses: [mesh.address()], apiKey: mesh.apiKey, deadlineMs });
}

function request(
  modelName: string,
  tensor: Omit<Parameters<typeof encodeInferRequest>[0]["inputs"][number], "parameters">,
): Buffer {
  const inputs = [{ ...tensor, parameters: new Map() }];
  return encodeInferRequest({ modelName, modelVersion: "", id: "", parameters: new Map(), inputs, outputs: [] });
}

async function timed(call: () => Promise<{ ok: boolean }>): Promise<number> {
  const startedAt = performance.now();
  if (!(await call()).ok) throw new AimassError("INTERNAL", "The slow model does not answer.");
  return performance.now() - startedAt;
}
