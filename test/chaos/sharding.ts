import { tinyModel } from "@aimass/onnx/samples";
import { InferClient } from "../support/infer-client.ts";
import { TestMesh } from "../support/test-mesh.ts";
import { rowsOf, Traffic, total } from "../support/traffic.ts";
import type { ChaosResult } from "./chaos-result.ts";
import { ChaosContext } from "./context.ts";

const models = ["one", "two", "three", "four", "five", "six"];

/** Six models over three replicas, each on two: one replica is killed, and no request of any model fails. */
export async function shardingScenario(): Promise<ChaosResult> {
  await using mesh = await TestMesh.start({ replicas: 3 });
  for (const model of models) await mesh.serve(model, tinyModel(), 2);
  const context = new ChaosContext({ mesh, models, replicasOfEach: 2 });
  await context.recovered();
  const spread = (await context.replicas()).map((replica) => `${replica.id} holds ${replica.loaded.length}`).join(", ");
  const client = new InferClient({ addresses: [mesh.address()], apiKey: mesh.apiKey, deadlineMs: 8000 });
  const traffic = new Traffic({ client, kinds: models.map((model) => rowsOf(model, 4)), inFlight: 8, pauseMs: 2 });
  await context.wait(500);
  traffic.take();
  await context.begin();
  context.killReplica(0);
  const recoveredMs = await context.recovered();
  await context.wait(500);
  await traffic.stop();
  client.close();
  const count = total(traffic.take());
  const evenly = await spreadEvenly(context);
  const problem = count.failed > 0 ? count.failures.join("; ") : evenly ? undefined : `not spread evenly: ${spread}`;
  return { scenario: "six models over three replicas, each on two; one is killed", count, recoveredMs, problem };
}

/** A replica that comes back gets its own models again; what stood in for it meanwhile leaves a little later. */
async function spreadEvenly(context: ChaosContext): Promise<boolean> {
  for (let i = 0; i < 100; i += 1) {
    if ((await context.replicas()).every((replica) => replica.loaded.length === (2 * models.length) / 3)) return true;
    await context.wait(200);
  }
  return false;
}
