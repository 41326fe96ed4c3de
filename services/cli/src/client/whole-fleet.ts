import { FleetService, type Node, type ReplicaInfo } from "@aimass/api/scheduler";
import type { Connection } from "./connection.ts";

/** Every machine, and every replica without an agent, however many pages that takes. */
export async function wholeFleet(
  connection: Pick<Connection, "client">,
  options: { timeoutMs?: number } = {},
): Promise<{ nodes: Node[]; standaloneReplicas: ReplicaInfo[] }> {
  const client = connection.client(FleetService);
  const fleet = { nodes: [] as Node[], standaloneReplicas: [] as ReplicaInfo[] };
  let token = "";
  do {
    const answer = await client.listNodes({ page: { size: 1000, token } }, options);
    fleet.nodes.push(...answer.nodes);
    fleet.standaloneReplicas.push(...answer.standaloneReplicas);
    token = answer.page?.nextToken ?? "";
  } while (token !== "");
  return fleet;
}
