import { AccessService, Effect, Level } from "@aimass/api/auth";
import { encodeInferRequest } from "@aimass/oip";
import { InferClient } from "../support/infer-client.ts";
import type { ChaosContext } from "./context.ts";

/** Something bad that happens to a mesh under load. */
export interface Scenario {
  readonly name: string;
  /** Does it; returns once the harm is done. */
  readonly strike: (context: ChaosContext) => Promise<void>;
  /** Which traffic must not fail: through one router without retries, or through two with a client that retries. */
  readonly client: "one-router" | "two-routers";
  /** Models whose requests may fail, by a reason that is part of the scenario. */
  readonly exempt?: readonly string[];
}

const control = ["auth", "registry", "trainer", "scheduler", "scheduler-2", "console"];

/** Every way to harm a mesh that must cost no request. */
export const scenarios: readonly Scenario[] = [
  {
    name: "a replica is killed",
    client: "one-router",
    strike: killReplica,
  },
  { name: "a replica is stopped for 6 s, then goes on", client: "one-router", strike: (c) => pauseReplica(c, 6000) },
  { name: "a run hangs beyond its limit", client: "one-router", strike: hangRun, exempt: ["hang"] },
  { name: "replicas are killed one after the other", client: "one-router", strike: killEachReplica },
  { name: "the leading scheduler is killed", client: "one-router", strike: async (c) => c.kill("scheduler") },
  { name: "both schedulers are killed", client: "one-router", strike: async (c) => c.kill("scheduler", "scheduler-2") },
  { name: "auth is killed", client: "one-router", strike: async (c) => c.kill("auth") },
  { name: "the registry is killed", client: "one-router", strike: async (c) => c.kill("registry") },
  { name: "the trainer is killed", client: "one-router", strike: async (c) => c.kill("trainer") },
  { name: "PostgreSQL is killed", client: "one-router", strike: async (c) => c.killPostgres() },
  {
    name: "the whole control plane is killed, with PostgreSQL and a replica",
    client: "one-router",
    strike: killEverythingButRouters,
  },
  {
    name: "a router is stopped with SIGTERM",
    client: "two-routers",
    strike: async (c) => c.mesh.mesh.processes.get("router-2")?.kill("SIGTERM"),
  },
  { name: "a router is killed", client: "two-routers", strike: async (c) => c.kill("router-2") },
];

async function killReplica(context: ChaosContext): Promise<void> {
  process.kill(context.replicaPids()[0] as number, "SIGKILL");
}

async function pauseReplica(context: ChaosContext, ms: number): Promise<void> {
  const pid = context.replicaPids()[0] as number;
  process.kill(pid, "SIGSTOP");
  await context.wait(ms);
  process.kill(pid, "SIGCONT");
}

async function killEachReplica(context: ChaosContext): Promise<void> {
  for (const pid of context.replicaPids()) {
    process.kill(pid, "SIGKILL");
    await context.wait(200);
    await context.recovered();
  }
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
  const request = encodeInferRequest({
    modelName: "hang",
    modelVersion: "",
    id: "",
    parameters: new Map(),
    inputs: [{ name: "trips", datatype: "INT64", shape: [], bytes: trips, parameters: new Map() }],
    outputs: [],
  });
  await client.infer(request);
  client.close();
  // The run limit of the model is 3 s: give the replica time to reach it and to come back.
  await context.wait(4000);
}

/** Nothing is left but routers and one replica of each model; a grant given just before must still decide. */
async function killEverythingButRouters(context: ChaosContext): Promise<void> {
  await context.mesh.admin.client(AccessService).putGrant({
    grant: { subject: "service-account:traffic", resource: "default", level: Level.INFER, effect: Effect.ALLOW },
  });
  for (const name of control) context.mesh.mesh.processes.get(name)?.kill("SIGSTOP");
  context.killPostgres();
  await context.wait(2000);
  process.kill(context.replicaPids()[1] as number, "SIGKILL");
  await context.wait(4000);
  context.kill(...control);
}
