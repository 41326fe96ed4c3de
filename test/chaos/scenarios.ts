import { AccessService, Effect, Level } from "@aimass/api/auth";
import { AimassError, statusCodes } from "@aimass/core";
import { encodeInferRequest } from "@aimass/oip";
import { InferClient } from "../support/infer-client.ts";
import { sendBigJson } from "./big-json.ts";
import type { ChaosContext } from "./context.ts";
import { deployHarmfulModels, giveUpBursts } from "./harmful-deploys.ts";

/** Something bad that happens to a mesh under load. */
export interface Scenario {
  readonly name: string;
  /** Does it; returns once the harm is done. */
  readonly strike: (context: ChaosContext) => Promise<void>;
  /** Which traffic must not fail: through one router without retries, or through two with a client that retries. */
  readonly client: "one-router" | "two-routers";
  /** What a plain machine may lack. */
  readonly needs?: "nats-server";
}

const control = ["auth", "registry", "trainer", "scheduler", "scheduler-2", "console"];

/** Every way to harm a mesh that must cost no request. */
export const scenarios: readonly Scenario[] = [
  { name: "a replica is killed", client: "one-router", strike: async (c) => c.killReplica(0) },
  { name: "a replica is stopped for 6 s, then goes on", client: "one-router", strike: pauseReplica },
  { name: "a run hangs beyond its limit", client: "one-router", strike: hangRun },
  { name: "a slow, a wide and a poisonous model are deployed", client: "one-router", strike: deployHarmfulModels },
  { name: "callers send big JSON, right and wrong", client: "one-router", strike: sendBigJson },
  { name: "bursts of calls are given up", client: "one-router", strike: giveUpBursts },
  { name: "replicas are killed one after the other", client: "one-router", strike: killEachReplica },
  { name: "the leading scheduler is killed", client: "one-router", strike: async (c) => c.kill("scheduler") },
  { name: "both schedulers are killed", client: "one-router", strike: async (c) => c.kill("scheduler", "scheduler-2") },
  { name: "auth is killed", client: "one-router", strike: async (c) => c.kill("auth") },
  { name: "the registry is killed", client: "one-router", strike: async (c) => c.kill("registry") },
  { name: "the trainer is killed", client: "one-router", strike: async (c) => c.kill("trainer") },
  { name: "the agent is killed", client: "one-router", strike: async (c) => c.kill("agent") },
  { name: "the agent is killed, then a replica that outlived it", client: "one-router", strike: killAgentThenReplica },
  { name: "PostgreSQL is killed", client: "one-router", strike: async (c) => c.killPostgres() },
  { name: "nats-server is killed for 3 s", client: "one-router", needs: "nats-server", strike: killNats },
  {
    name: "the control plane hangs, then dies with PostgreSQL and a replica",
    client: "one-router",
    strike: killEverythingButRouters,
  },
  {
    name: "a router is stopped with SIGTERM",
    client: "two-routers",
    strike: async (c) => c.signal("SIGTERM", "router-2"),
  },
  { name: "a router is killed", client: "two-routers", strike: async (c) => c.kill("router-2") },
];

async function pauseReplica(context: ChaosContext): Promise<void> {
  const pid = context.replicaPids()[0] as number;
  process.kill(pid, "SIGSTOP");
  await context.wait(6000);
  process.kill(pid, "SIGCONT");
}

async function killEachReplica(context: ChaosContext): Promise<void> {
  for (const n of context.replicaPids().keys()) {
    context.killReplica(n);
    await context.recovered();
    await context.begin();
  }
}

async function killAgentThenReplica(context: ChaosContext): Promise<void> {
  context.kill("agent");
  await context.recovered();
  context.killReplica(0);
}

async function killNats(context: ChaosContext): Promise<void> {
  if (context.nats === undefined) throw new AimassError("INTERNAL", "The mesh runs without NATS.");
  await context.nats.kill();
  await context.wait(3000);
  await context.nats.revive();
  // An alias moved right after must still reach the routers: events flow again.
  await context.mesh.moveAlias("tiny", 1n);
}

/** One request whose loop never ends: its replica must end itself, and nobody else's request may notice. */
async function hangRun(context: ChaosContext): Promise<void> {
  const client = new InferClient({
    addresses: [context.mesh.address()],
    apiKey: context.mesh.apiKey,
    deadlineMs: 2000,
  });
  const trips = Buffer.alloc(8);
  trips.writeBigInt64LE(1_000_000_000_000n);
  const inputs = [{ name: "iterations", datatype: "INT64" as const, shape: [1], bytes: trips, parameters: new Map() }];
  context.expectReplicaEnd();
  const outcome = await client.infer(
    encodeInferRequest({ modelName: "hang", modelVersion: "", id: "", parameters: new Map(), inputs, outputs: [] }),
  );
  client.close();
  if (outcome.ok || outcome.code !== statusCodes.DEADLINE_EXCEEDED) {
    throw new AimassError(
      "INTERNAL",
      `The run should hang until its deadline; the answer was ${outcome.ok ? "a result" : outcome.message}.`,
    );
  }
}

/** First everything but routers and replicas hangs, then it is killed; a grant given just before must still decide. */
async function killEverythingButRouters(context: ChaosContext): Promise<void> {
  const grant = { subject: "service-account:traffic", resource: "default", level: Level.INFER, effect: Effect.ALLOW };
  await context.mesh.admin.client(AccessService).putGrant({ grant });
  context.signal("SIGSTOP", ...control);
  context.killPostgres();
  await context.wait(2000);
  context.killReplica(1);
  await context.wait(4000);
  context.kill(...control);
}
