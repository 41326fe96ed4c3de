import { FleetService, type Quarantined, type ReplicaInfo } from "@aimass/api/scheduler";
import { AimassError, closest } from "@aimass/core";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import type { Connection } from "../client/connection.ts";
import { wholeFleet } from "../client/whole-fleet.ts";
import { bytes, modelName, time } from "../output/format.ts";
import { table } from "../output/output.ts";
import { action, type CommandContext, versionArgument, versionNumber } from "./context.ts";

/** `nodes` and `quarantine`: the machines, and what they refuse to run. */
export function addNodes(program: Command): void {
  const nodes = program.command("nodes").description("the machines that run models: list, drain");
  nodes
    .command("list")
    .description("machines with their replicas")
    .action(
      action(async ({ connection, output }) => {
        const fleet = await wholeFleet(connection);
        const rows = [...fleet.nodes, ...(fleet.standaloneReplicas.length === 0 ? [] : [standalone(fleet)])];
        output.result({ nodes: fleet.nodes, standaloneReplicas: fleet.standaloneReplicas }, () =>
          table(
            ["MACHINE", "CPUS", "MEMORY FREE", "DEVICES", "REPLICAS", "HEARD OF UNTIL"],
            rows.map((node) => [
              node.draining ? `${node.name} (drained)` : node.name,
              String(node.total?.cpus ?? "-"),
              node.total === undefined
                ? "-"
                : `${bytes(node.free?.memoryBytes ?? 0n)} of ${bytes(node.total.memoryBytes)}`,
              node.devices.map(({ id }) => id).join(" "),
              node.replicas.map(({ id, live, draining }) => `${id} ${replicaState(live, draining)}`).join(", "),
              time(node.leaseUntil),
            ]),
          ),
        );
      }),
    );
  nodes
    .command("drain")
    .description(
      "give a machine with all replicas that it has or gets, or one of its replicas, nothing new; what it holds moves elsewhere",
    )
    .argument("<name>", 'a machine, "node-a", or a replica, "node-a/cpu-0"')
    .option("--undo", "let it take versions again")
    .action(action<{ undo?: boolean }>((context, options, [name]) => drain(context, name as string, !options.undo)));
  addQuarantine(program);
}

async function drain({ connection, output }: CommandContext, name: string, draining: boolean): Promise<void> {
  const client = connection.client(FleetService);
  const { nodes, standaloneReplicas } = await wholeFleet(connection);
  const all = [...nodes.flatMap((node) => node.replicas), ...standaloneReplicas];
  const told = (what: string) => (draining ? `${what} takes nothing new.` : `${what} takes versions again.`);
  if (all.some(({ id }) => id === name)) {
    const { replica } = await client.drainReplica({ replicaId: name, draining });
    return output.result([replica], () => told(name));
  }
  try {
    const { replicas } = await client.drainNode({ node: name, draining });
    output.result(replicas, () => [...replicas.map(({ id }) => told(id)), told(`The machine ${name}`)]);
  } catch (error) {
    if (ConnectError.from(error).code !== Code.NotFound) throw error;
    const near = closest(name, [...nodes.map((node) => node.name), ...all.map(({ id }) => id)]);
    const said = near === undefined ? "" : ` Did you mean ${near}?`;
    throw new AimassError("NOT_FOUND", `There is no machine, and no replica, named "${name}".${said}`, {
      remedy: "`aimass nodes list` has their names.",
    });
  }
}

function addQuarantine(program: Command): void {
  const quarantine = program
    .command("quarantine")
    .description("versions that brought replicas down and are not loaded any more: list, release");
  quarantine
    .command("list")
    .description("versions in quarantine")
    .action(
      action(async ({ connection, output }) => {
        const quarantined = await listQuarantined(connection);
        output.result(quarantined, () =>
          quarantined.length === 0
            ? "Nothing is in quarantine."
            : table(
                ["MODEL", "VERSION", "CRASHES", "SINCE"],
                quarantined.map((q) => [
                  modelName(q.project, q.model),
                  String(q.version),
                  String(q.crashes),
                  time(q.since),
                ]),
              ),
        );
      }),
    );
  quarantine
    .command("release")
    .description("let replicas load a version again")
    .argument("<version>", '"model:version"')
    .action(
      action(async ({ connection, output }, _options, [name]) => {
        const { version: text, ...model } = versionArgument(name as string);
        const version = versionNumber(text);
        const client = connection.client(FleetService);
        // The call itself is content with what is not there; a person who mistypes would believe that it is released.
        const quarantined = await listQuarantined(connection);
        const isMeant = (q: (typeof quarantined)[number]) =>
          q.project === model.project && q.model === model.model && q.version === version;
        if (!quarantined.some(isMeant))
          throw new AimassError("NOT_FOUND", `${name} is not in quarantine.`, {
            remedy: "`aimass quarantine list` has what is.",
          });
        await client.releaseQuarantine({ ...model, version });
        output.result({ released: name }, () => `${name} may be loaded again.`);
      }),
    );
}

async function listQuarantined(connection: Connection): Promise<Quarantined[]> {
  return await allPages(
    (page) => connection.client(FleetService).listQuarantine({ page }),
    (answer) => answer.quarantined,
  );
}

/** Replicas without an agent, as if of one machine. */
function standalone({ standaloneReplicas }: { standaloneReplicas: ReplicaInfo[] }) {
  return {
    name: "(no agent)",
    total: undefined,
    free: undefined,
    devices: [],
    replicas: standaloneReplicas,
    leaseUntil: undefined,
    draining: false,
  };
}

function replicaState(live: boolean, draining: boolean): string {
  if (!live) return "gone";
  return draining ? "draining" : "live";
}
